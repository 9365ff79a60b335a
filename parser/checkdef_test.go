package parser

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// A service that names a checkdef means what it means with the lines of the block written out; so does an alsocheck,
// for which no other line of the section counts.
func TestCheckdefsMeanTheirLines(t *testing.T) { meanTheirLines(t, "named.txt", withoutNames) }

// withoutNames is what a file means: its sections without the names of blocks, and each check.
func withoutNames(t *testing.T, cfg *Config) string {
	var all []map[string]any
	for _, v := range cfg.Virtuals {
		for _, check := range v.Checks() {
			one := *check
			one.AlsoChecks = nil
			text, _ := json.Marshal(cfg.virtual(&one))
			shown := map[string]any{}
			testkit.OK(t, json.Unmarshal(text, &shown))
			for _, name := range []string{"use", "from", "checkdef", "own"} {
				delete(shown, name)
			}
			all = append(all, shown)
		}
	}
	text, _ := json.Marshal(all)
	return string(text)
}

// The words of a section are for its own check. Those that are global count for all.
func TestACheckdefTakesNothingOfTheSection(t *testing.T) {
	src := "negotiatetimeout=9\nvirtual=192.0.2.1:80\n\treal=192.0.2.2:80 masq\n\tservice=http\n" +
		"\tvirtualhost=a.example\n\tnegotiatetimeout=1\n\tlogin=\"x\"\n" +
		"\thttpheader=\"A: b\"\n\talsocheck=web\ncheckdef=web\n\tservice=https\n\ttlsverify=yes\n"
	cfg, _ := parseText(t, src)
	check := cfg.Virtuals[0].Check(1)
	if check.VirtualHost != "" || check.NegotiateTimeout != 9 || check.Login != "" || len(check.HTTPHeaders) > 0 ||
		!check.TLSVerify ||
		check.CheckName != "web" {
		t.Errorf("%+v", check)
	}
}

// Every mistake has one finding, at its line.
func TestMistakesWithCheckdefs(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/parser/misnamed.txt", 2) {
		src, want := rowOf(row[0]), row[1]
		_, found := parseText(t, src)
		found = slices.DeleteFunc(found, func(d Diagnostic) bool {
			return d.Kind == noEffect &&
				!strings.Contains(want, "no section")
		})
		if len(found) != 1 || !strings.HasPrefix(found[0].String(), want) {
			t.Errorf("%v\nwant %s of\n%s", found, want, src)
		}
	}
}

// Operators' files with checks of their own names load with a block for each.
func TestRealConfigsWithCheckdefs(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("REAL_CONFIGS"), "*.cf"))
	if os.Getenv("REAL_CONFIGS") == "" {
		t.Skip("REAL_CONFIGS names no folder")
	}
	unknown := regexp.MustCompile(`unknown service "([\w.-]+)"`)
	for _, file := range files {
		src := testkit.Must(os.ReadFile(file))(t)
		_, found := parse(t.Context(), file, src, options(t))
		blocks := ""
		for _, d := range found {
			if m := unknown.FindStringSubmatch(d.Text); m != nil &&
				!strings.Contains(blocks, "checkdef="+m[1]+"\n") {
				blocks += "checkdef=" + m[1] + "\n\tchecktype=ping\n"
			}
		}
		_, found = parse(t.Context(), file, append([]byte(blocks), src...), options(t))
		for _, d := range found.Errors() {
			if unknown.MatchString(d.Text) {
				t.Errorf("%s: %v", file, d)
			}
		}
	}
}
