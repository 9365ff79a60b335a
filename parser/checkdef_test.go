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

// A service that names a checkdef means what it means with the lines of the block written out; so does an alsocheck, for
// which no other line of the section counts.
func TestCheckdefsMeanTheirLines(t *testing.T) {
	const virtual, real = "virtual=192.0.2.1:80\n", "\treal=192.0.2.2:80 masq\n"
	for name, row := range map[string]struct{ uses, blocks, written string }{
		"a service": {virtual + real + "\tservice=web\n", "checkdef=web\n\tservice=https\n\trequest=\"ok\"\n\tcheckport=8443\n",
			virtual + real + "\tservice=https\n\trequest=\"ok\"\n\tcheckport=8443\n"},
		"a name with a hyphen and the word of a protocol": {virtual + real + "\tservice=http-app\n", "checkdef=http-app\n\tservice=dns\n\trequest=\"a.example\"\n",
			virtual + real + "\tservice=dns\n\trequest=\"a.example\"\n"},
		"the protocol of the port": {virtual + real + "\tservice=web\n", "checkdef=web\n\trequest=\"ok\"\n", virtual + real + "\trequest=\"ok\"\n"},
		"a check type":             {virtual + real + "\tservice=up\n", "checkdef=up\n\tchecktype=ping\n", virtual + real + "\tchecktype=ping\n"},
		"a program": {virtual + real + "\tservice=p\n", "checkdef=p\n\tchecktype=external\n\tcheckcommand=/bin/false\n\tcheckargs=\"-H {address}\"\n",
			virtual + real + "\tchecktype=external\n\tcheckcommand=/bin/false\n\tcheckargs=\"-H {address}\"\n"},
		"a dialogue": {virtual + real + "\tservice=d\n", "checkdef=d\n\tservice=simpletcp\n\tsend=\"x\"\n\texpect=\"y\"\n",
			virtual + real + "\tservice=simpletcp\n\tsend=\"x\"\n\texpect=\"y\"\n"},
		"own, checkdef, defaults, global": {"checktimeout=9\nnegotiatetimeout=9\n" + virtual + real + "\tservice=web\n\trequest=\"own\"\n\tuse=d\n",
			"checkdef=web\n\tservice=http\n\trequest=\"c\"\n\treceive=\"c\"\n\tchecktimeout=1\ndefaults=d\n\trequest=\"d\"\n\treceive=\"d\"\n\tvirtualhost=d\n",
			"checktimeout=9\nnegotiatetimeout=9\n" + virtual + real +
				"\tservice=http\n\trequest=\"own\"\n\treceive=\"c\"\n\tvirtualhost=d\n\tchecktimeout=1\n"},
		"named by defaults": {virtual + real + "\tuse=d\n", "defaults=d\n\tservice=web\n\tchecktype=connect\ncheckdef=web\n\tservice=https\n\trequest=\"c\"\n",
			virtual + real + "\tservice=https\n\trequest=\"c\"\n"},
		"named by the block of the block": {virtual + real + "\tuse=d\n", "defaults=d\n\tuse=e\ndefaults=e\n\tservice=web\ncheckdef=web\n\tservice=https\n",
			virtual + real + "\tservice=https\n"},
		"an own service before that of defaults": {virtual + real + "\tservice=http\n\talsocheck=web\n\tuse=d\n",
			"defaults=d\n\tservice=web\ncheckdef=web\n\tchecktype=ping\n", virtual + real + "\tservice=http\n\talsocheck=ping\n"},
		"further checks": {virtual + real + "\tchecktype=connect\n\talsocheck=up\n\talsocheck=port 81\n", "checkdef=up\n\tchecktype=ping\ncheckdef=port\n\tchecktype=connect\n\tcheckport=82\n",
			virtual + real + "\tchecktype=connect\n\talsocheck=ping\n\talsocheck=connect 81\n"},
		"the port of a checkdef": {virtual + real + "\tchecktype=connect\n\talsocheck=port\n", "checkdef=port\n\tchecktype=connect\n\tcheckport=82\n",
			virtual + real + "\tchecktype=connect\n\talsocheck=connect 82\n"},
		"a further check with strings": {virtual + real + "\tservice=http\n\talsocheck=web 81 weight=50%\n",
			"checkdef=web\n\tservice=http\n\trequest=\"x\"\n\treceive=\"y\"\n",
			virtual + real + "\tservice=http\n\talsocheck=http 81 \"x\" \"y\" weight=50%\n"},
	} {
		t.Run(name, func(t *testing.T) {
			want := withoutNames(t, row.written)
			for _, src := range []string{row.uses + row.blocks, row.blocks + row.uses} {
				if got := withoutNames(t, src); got != want {
					t.Errorf("of\n%s\n%s\nwant\n%s", src, got, want)
				}
			}
		})
	}
}

// withoutNames is what a file means: its sections without the names of blocks, and each check.
func withoutNames(t *testing.T, src string) string {
	t.Helper()
	cfg, found := parseText(t, src)
	if len(found) > 0 {
		t.Fatalf("%v in\n%s", found, src)
	}
	var all []map[string]any
	for _, v := range cfg.Virtuals {
		for _, check := range v.Checks() {
			one := *check
			one.AlsoChecks = nil
			text, _ := json.Marshal(shown{cfg}.virtual(&one))
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
	src := "negotiatetimeout=9\nvirtual=192.0.2.1:80\n\treal=192.0.2.2:80 masq\n\tservice=http\n\tvirtualhost=a.example\n\tnegotiatetimeout=1\n\tlogin=\"x\"\n" +
		"\thttpheader=\"A: b\"\n\talsocheck=web\ncheckdef=web\n\tservice=https\n\ttlsverify=yes\n"
	cfg, _ := parseText(t, src)
	check := cfg.Virtuals[0].Check(1)
	if check.VirtualHost != "" || check.NegotiateTimeout != 9 || check.Login != "" || len(check.HTTPHeaders) > 0 || !check.TLSVerify ||
		check.CheckName != "web" {
		t.Errorf("%+v", check)
	}
}

// Of two lines the last one counts, also if only the first names a checkdef.
func TestTheLastServiceCounts(t *testing.T) {
	for lines, want := range map[string]string{"\tservice=a\n\tservice=http\n": "http", "\tservice=http\n\tservice=a\n": "dns"} {
		cfg, _ := parseText(t, "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 masq\n"+lines+"checkdef=a\n\tservice=dns\n")
		if v := cfg.Virtuals[0]; v.Service != want || (v.CheckName == "a") != (want == "dns") {
			t.Errorf("%q: %s by %q", lines, v.Service, v.CheckName)
		}
	}
}

// Every mistake has one finding, at its line.
func TestMistakesWithCheckdefs(t *testing.T) {
	const virtual = "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 masq\n"
	for src, want := range map[string]string{
		virtual + "\tservice=web\n":   `ld.cf:3:10: error: unknown service "web"; known are dns, `,
		virtual + "\talsocheck=web\n": `ld.cf:3:12: error: "web" is not a check; it must be one of `,
		virtual + "\tservice=a\n\tchecktype=ping\ncheckdef=a\n\tchecktype=ping\n":                                     `ld.cf:4:12: error: checktype is given here and in the checkdef a (line 6)`,
		virtual + "\talsocheck=a 8\ncheckdef=a\n\tchecktype=ping\n":                                                   `ld.cf:3:12: error: the checkdef a is a check by ping, which has no port`,
		virtual + "\talsocheck=a 8 \"x\"\ncheckdef=a\n\tservice=http\n":                                               `ld.cf:3:16: error: a is a checkdef, whose request and receive are lines of it`,
		virtual + "\tservice=a\ncheckdef=a\n\tservice=b\n":                                                            `ld.cf:5:10: error: unknown service "b"`,
		virtual + "\tservice=a\ncheckdef=a\n\tchecktype=off\n":                                                        `ld.cf:5:12: error: "off" is not for a checkdef; it must be one of negotiate, connect, ping, external`,
		virtual + "\tservice=a\ncheckdef=a\n\tscheduler=rr\n":                                                         `ld.cf:5:2: error: scheduler is in a checkdef, which has only the words of a check`,
		virtual + "\tservice=a\ncheckdef=a\n\treal=192.0.2.3:80 masq\n":                                               `ld.cf:5:2: error: real is in a checkdef`,
		virtual + "\tservice=a\ncheckdef=a\ncheckdef=a\n":                                                             `ld.cf:5:10: error: the block "a" is already in line 4`,
		virtual + "\tservice=a\ncheckdef=a b\n":                                                                       `ld.cf:4:10: error: "a b" is not a name`,
		virtual + "\tservice=http\ncheckdef=http\n\tservice=http\n\trequest=\"x\"\n":                                  `ld.cf:4:10: warning: the checkdef replaces the check "http" of ldirectord`,
		virtual + "\tchecktype=connect\ncheckdef=a\n\tservice=http\n":                                                 `ld.cf:4:10: warning: no section uses the block "a"`,
		virtual + "\talsocheck=a\ncheckdef=a\n\tservice=https\n\ttlskey=/k\n":                                         `ld.cf:6:9: error: tlskey is given without tlscert`,
		virtual + "\tchecktype=connect\n\talsocheck=a\ncheckdef=a\n\tservice=http\n\tpasswd=\"a\"\n\tpasswdfile=/p\n": `ld.cf:8:13: error: passwdfile and passwd are given`,
	} {
		_, found := parseText(t, src)
		found = slices.DeleteFunc(found, func(d Diagnostic) bool { return d.Kind == noEffect && !strings.Contains(want, "no section") })
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
			if m := unknown.FindStringSubmatch(d.Text); m != nil && !strings.Contains(blocks, "checkdef="+m[1]+"\n") {
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
