package parser

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ldirectord/checker/settings"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

func mustParse(t *testing.T, src string) *Config {
	t.Helper()
	cfg, found := parseWith(t, src, options(t))
	if cfg == nil {
		t.Fatalf("%s\n%v", src, found.Errors())
	}
	return cfg
}

// A line with the default of the table changes nothing in an empty configuration.
func TestDefaultsOfTheTable(t *testing.T) {
	const bare = "virtual=192.0.2.1:80\n\treal=192.0.2.2 gate\n"
	want := asJSON(t, mustParse(t, bare))
	for _, d := range Directives() {
		if d.Default == "" {
			continue
		}
		line := d.Name + "=" + d.Default + "\n"
		if d.Global() {
			compareEffect(t, want, line+bare, line)
		}
		if d.Section() {
			compareEffect(t, want, bare+"\t"+line, line)
		}
	}
}

// compareEffect fails if a line changes the configuration in more than being written.
func compareEffect(t *testing.T, want object, src, line string) {
	t.Helper()
	got := asJSON(t, mustParse(t, src))
	for _, side := range []object{want, got} {
		delete(side["global"].(object), "checktimeout")
		delete(side["global"].(object), "negotiatetimeout")
		delete(side["virtuals"].([]any)[0].(object), "own")
	}
	// A timeout that is set is used for the other one too, which then has no default of its own.
	for _, name := range []string{"checktimeout", "negotiatetimeout"} {
		if line == name+"=5\n" || line == name+"=30\n" {
			return
		}
	}
	testkit.Equal(t, firstDifference("config", want, got, false), "", line, "is said to be the default")
}

func TestParseSeconds(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/parser/seconds.txt", 2) {
		text := testkit.Must(strconv.Unquote(row[0]))(t)
		s, unit, ok := ParseSeconds(text)
		testkit.Equal(t, strings.TrimSpace(fmt.Sprintln(s, unit, ok, s.Duration())), row[1], text)
	}
}

func TestPositionsAreThoseOfTheValues(t *testing.T) {
	cfg := mustParse(t, "checkinterval = 3\ncheckinterval=4\nvirtual = 192.0.2.1:80\n"+
		"\treal =\t192.0.2.2:80 gate\n\tfallback=192.0.2.3:80\n    receive=\"OK\"\n")
	v := cfg.Virtuals[0]
	for want, at := range map[string]Position{"2 15": cfg.Global.At["checkinterval"], "3 11": v.At["virtual"],
		"4 9": v.Reals[0].At, "5 11": v.AllFallbacks[0].At, "6 13": v.At["receive"]} {
		testkit.Equal(t, fmt.Sprint(at), "{ld.cf "+want+"}")
	}
	if v.has("request") {
		t.Error("request has a position, though it was not written")
	}
	testkit.Equal(t, cfg.Global.CheckInterval, 4, "the last line of two counts")
}

// A file is tried once, by the name without the comment after it: for writing or, if it is of TLS, for reading.
func TestFilesAreTriedOnce(t *testing.T) {
	var written, read []string
	o := Options{TryFile: func(path string) error { written = append(written, path); return nil },
		TryRead: func(path string) error { read = append(read, path); return nil }}
	parseWith(t, "logfile=\"/a\" # b\nvirtual=1\n\tmonitorfile=c # d\n"+
		"\ttlsca=\"/a#b\" # c\n\ttlscert=/d\n\ttlskey=/e \n", o)
	testkit.Same(t, written, []string{"/a", "c"})
	testkit.Same(t, read, []string{"/a#b", "/d", "/e"})
	if cfg, _ := parseText(t, "virtual=1\n\ttlsca=/no-such-folder/ca.pem\n"); cfg == nil {
		t.Error("without a way to try a file it was refused")
	}
}

func TestFilesThatCannotBeOpened(t *testing.T) {
	o := options(t)
	o.TryFile = func(path string) error {
		switch {
		case path == "/full":
			return fs.ErrInvalid
		case path == "/gone":
			return os.ErrDeadlineExceeded
		case strings.HasPrefix(path, "/no-such-folder/"):
			return os.ErrNotExist
		}
		return fs.ErrPermission
	}
	o.TryRead = o.TryFile
	for _, row := range testkit.Table(t, "../testdata/parser/unopened.txt", 3) {
		o.User = nil
		if row[1] != "" {
			o.User = func(err error) string { return map[error]string{fs.ErrPermission: row[1]}[err] }
		}
		_, found := Parse(t.Context(), "", []byte(testkit.Must(strconv.Unquote(row[0]))(t)), o)
		testkit.Equal(t, fmt.Sprint(found), row[2], row[0])
	}
}

func TestTooLargeAFileIsRefused(t *testing.T) {
	src := bytes.Repeat([]byte("#"), MaxSize+1)
	_, found := Parse(t.Context(), "", src, Options{})
	if len(found) != 1 || found[0].Kind != tooLarge {
		t.Errorf("got %v", found)
	}
	if cfg, found := Parse(t.Context(), "", src[:MaxSize], Options{}); cfg == nil || len(found) > 0 {
		t.Errorf("the largest file: got %v", found)
	}
}

// A configuration with errors has the sections without an error. A misspelt header is one only where a header may be,
// that is, not indented.
func TestSectionsWithoutAnError(t *testing.T) {
	for src, want := range map[string]string{
		"nonsense\nvirtual=1\n\tservice=no\nvirtual=2\n\tload=\"x\"\nvirtual=a\nvirtual=3\n": "[-f 2 -f 3]",
		"virtual=1\n\tvirtul=2\n": "[]",
		"virtual=1\nvirtul=2\n":   "[-f 1]",
	} {
		cfg, _ := Parse(t.Context(), "", []byte(src), Options{})
		keys := each(cfg.Virtuals, func(v *Virtual) lvs.Key { return v.Key })
		testkit.Equal(t, fmt.Sprint(keys), want, src)
	}
}

// A section without an address is left out even if its error is beyond the number of errors that are kept.
func TestNoSectionWithoutAnAddress(t *testing.T) {
	src := strings.Repeat("virtual=vip:80\n", maxFindings+1)
	if cfg, _ := Parse(t.Context(), "", []byte(src), Options{}); len(cfg.Virtuals) > 0 {
		t.Errorf("%d of %d sections are left", len(cfg.Virtuals), maxFindings+1)
	}
}

func TestDirectivesAreLegalWhereTheySay(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Directives() {
		if seen[d.Name] {
			t.Errorf("%s is there twice", d.Name)
		}
		seen[d.Name] = true
		if !d.Global() && !d.Section() {
			continue
		}
		if refused := says(t, d.Name+"=\n", "is outside of a section"); refused == d.Global() {
			t.Errorf("%s: legal outside of a section is %v", d.Name, !refused)
		}
		if refused := says(t, "virtual=1\n\t"+d.Name+"=\n",
			"a global directive begins"); refused == d.Section() {
			t.Errorf("%s: legal in a section is %v", d.Name, !refused)
		}
	}
}

func says(t *testing.T, src, words string) bool {
	t.Helper()
	_, found := parseText(t, src)
	return slices.ContainsFunc(found, func(d Diagnostic) bool { return strings.Contains(d.Text, words) })
}

func TestServicesHaveTheirUsualPort(t *testing.T) {
	for s := range settings.Services() {
		testkit.Equal(t, settings.ServiceOf(s.Name), s, s.Name)
		extension := slices.Contains([]string{"grpc", "redis", "tls"}, s.Name)
		switch got := guessService(s.Port); {
		case extension != s.Is(settings.Extension):
			t.Errorf("%s is an extension in its row: %v, in this test: %v", s.Name, !extension, extension)
		case extension && got != "none":
			t.Errorf("port %d suggests %s, which the Perl ldirectord does not know", s.Port, got)
		case !extension && s.Port > 0 && got != s.Name:
			t.Errorf("port %d suggests %s, want %s", s.Port, got, s.Name)
		}
	}
	if guessService(0) != "none" || guessService(465) != "none" || settings.ServiceOf("simpletcp").Port != 0 {
		t.Error("a service was guessed where there is none")
	}
}

// What a file may have is limited: a packet may have to pass all rules of marks, and a small file can't make a large
// configuration of its blocks.
func TestFilesAreBounded(t *testing.T) {
	rules := "virtual=3\n" + strings.Repeat(
		"\tmark=192.0.2.10 tcp 80"+strings.Repeat(",80", maxMarkPorts/4-1)+"\n", 4)
	ranges := "virtual=192.0.2.1:80\n\tservice=http\n"
	for i := range 6 {
		ranges += fmt.Sprintf("\treal=10.%d.0.0->10.%d.255.255:80 gate\n", i, i)
	}
	uses := "defaults=a\n\tcomment=" + strings.Repeat("x", 1<<20) + "\n"
	for i := range 65 {
		uses += fmt.Sprintf("virtual=%d\n\tuse=a\n\treal=192.0.2.1:80 masq\n\tchecktype=on\n", i+1)
	}
	for src, line := range map[string]int32{
		rules + "\tmark=192.0.2.10 all all\n\tmark=192.0.2.10 tcp all\nvirtual=4\n" +
			"\tmark=192.0.2.10 udp 80\n": 6,
		ranges: 7,
		uses:   256,
	} {
		_, found := parseText(t, src)
		if errs := found.Errors(); len(errs) != 1 || errs[0].Kind != tooLarge || errs[0].At().Line != line {
			t.Errorf("%.40q: %v, want one in line %d", src, errs, line)
		}
	}
	if cfg, found := parseText(t, rules); cfg == nil {
		t.Error(found[0])
	}
}
