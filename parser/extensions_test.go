package parser

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// Each section is the only one of its file. The JSON is what the lines add to that of the section without them.
func TestExtensionsOfChecks(t *testing.T) {
	for _, tc := range []struct {
		service string
		lines   []string
		json    string
	}{
		{"https", []string{`tlsverify=yes`, `tlsca=/ca.pem`, `tlscert="/a b.pem"`, `tlskey=/key.pem`,
			`tlsexpirywarn=3650`},
			`{"tlsca":"/ca.pem","tlscert":"/a ` +
				`b.pem","tlsexpirywarn":3650,"tlskey":"/key.pem","tlsverify":"yes"}`},
		{"https", []string{`tlsverify=yes`, `tlsverify=no`}, `{}`},
		{"imap", []string{`starttls=yes`, `tlsexpirywarn=1`}, `{"starttls":"yes","tlsexpirywarn":1}`},
		{"http", []string{`httpstatus=200, 204 ,300 - 399`}, `{"httpstatus":"200,204,300-399"}`},
		{"http", []string{`httpstatus="100-599,204-204"`}, `{"httpstatus":"100-599,204"}`},
		{"http", []string{`httpheader=X-A:b`, `httpheader="X-B:  #1 "`, `httpheader=x_c~|!:`,
			`httpheader=A: "b": c`},
			`{"httpheader":["X-A: b","X-B: #1","x_c~|!: ","A: \"b\": c"]}`},
		{"http", []string{`httpuser="me"`, `httppasswd="a:b#c" # d`}, `{"httppasswd":"a:b#c","httpuser":"me"}`},
		{"simpletcp", []string{`expect="^a\s"`, `send="b\r\n"`, `send="\"c\" # \x00\xfF\\"`,
			`expect="\"d\" #"`},
			`{"steps":[{"expect":"^a\\s"},{"send":"b\\r\\n"},{"send":"\\\"c\\\" # ` +
				`\\x00\\xfF\\\\"},{"expect":"\\\"d\\\" #"}]}`},
		{"simpletcp", []string{`send="a\\" # "b"`}, `{"steps":[{"send":"a\\\\"}]}`},
		{"mysql", []string{`cleartext=no`}, `{"cleartext":"no"}`},
		{"pgsql", []string{`cleartext=no`, `cleartext=yes`}, `{}`},
		{"dns", []string{`dnstype=srv`, `dnsrcode="NotAuth"`}, `{"dnsrcode":"NOTAUTH","dnstype":"SRV"}`},
	} {
		bare := "virtual=192.0.2.1:99\n\treal=192.0.2.2:99 gate\n\tservice=" + tc.service + "\n"
		got, usual := firstVirtual(t, bare+"\t"+strings.Join(tc.lines, "\n\t")+"\n"), firstVirtual(t, bare)
		for name := range usual {
			delete(got, name)
		}
		text, err := json.Marshal(got)
		if err != nil || string(text) != tc.json {
			t.Errorf("%q:\ngot  %s\nwant %s", tc.lines, text, tc.json)
		}
	}
}

func firstVirtual(t *testing.T, src string) object {
	t.Helper()
	return asJSON(t, mustParse(t, src))["virtuals"].([]any)[0].(object)
}

// A backslash before a quote matters only in the steps of a dialogue: the Perl ldirectord has no escapes.
func TestOnlyStepsHaveEscapedQuotes(t *testing.T) {
	v := mustParse(t, "virtual=192.0.2.1:80\n\treceive=\"a\\\" # \"\n").Virtuals[0]
	testkit.Equal(t, v.Receive, `a\`)
}

// An expiring certificate gets a warning unless the file has tlsexpirywarn = never.
func TestCertificatesAreWarnedAboutByDefault(t *testing.T) {
	for written, want := range map[string]int{"": 14, "tlsexpirywarn = 30": 30, "tlsexpirywarn = 0": 0} {
		file := "virtual = 192.0.2.1:443\n\treal = 192.0.2.11:443 gate\n\tservice = https\n\t" + written + "\n"
		cfg, found := Parse(t.Context(), "ld.cf", []byte(file), Options{})
		if len(found) > 0 || cfg.Virtuals[0].TLSExpiryWarn != want {
			t.Errorf("%q: %v, %+v", written, found, cfg.Virtuals)
		}
	}
}

func TestExtensionsCountInNegotiateChecks(t *testing.T) {
	for checkType, ignored := range map[string]bool{
		"negotiate": false, "3": false, "on": false, "off": false, "connect": true, "ping": true,
		"external": true, "external-perl": true,
	} {
		src := "virtual=192.0.2.1:443\n\ttlsverify=yes\n\tsni=a\n\tchecktype=" + checkType + "\n"
		testkit.Equal(t, says(t, src, "applies only to negotiate checks"), ignored, "checktype", checkType,
			"a warning")
	}
}

// Each record type and response code of the documentation is accepted, also in small letters.
func TestWordsOfExtensions(t *testing.T) {
	for line, words := range map[string]string{
		"dnstype":  "A AAAA MX NS TXT SOA CNAME PTR SRV",
		"dnsrcode": "NOERROR NXDOMAIN REFUSED SERVFAIL NOTAUTH",
	} {
		for _, word := range strings.Fields(words) {
			if v := firstVirtual(t, "virtual=192.0.2.1:53\n\t"+line+"="+strings.ToLower(word)+
				"\n"); v[line] != word {
				t.Errorf("%s=%s is %v", line, strings.ToLower(word), v[line])
			}
		}
	}
}

// Each extension of checks has an effect with some services. With others there is a warning.
func TestExtensionsCountForTheirServices(t *testing.T) {
	lines := map[string]string{
		"tlsverify": "https imaps ldaps pops tls", "starttls": "ftp imap ldap pop smtp submission",
		"httpstatus=200": "http https http_proxy", "httpheader=A: b": "http https http_proxy",
		`send="a"`: "simpletcp", `expect="a"`: "simpletcp", "dnstype=A": "dns", "dnsrcode=NOERROR": "dns",
		"cleartext": "mysql pgsql",
	}
	for line, services := range lines {
		name, _, written := strings.Cut(line, "=")
		if !written {
			line += "=yes"
		}
		var got []string
		for s := range settings.Services() {
			src := "virtual=192.0.2.1:99\n\tservice=" + s.Name + "\n\t" + line + "\n"
			if !says(t, src, name+" applies only to") {
				got = append(got, s.Name)
			}
			if name == "tlsverify" {
				isStartTLS := slices.Contains(strings.Fields(lines["starttls"]), s.Name)
				if ignored := says(t, src+"\tstarttls=yes\n", name+" applies only to"); isStartTLS &&
					ignored {
					t.Errorf("tlsverify does not count for %s with starttls", s.Name)
				}
			}
		}
		slices.Sort(got)
		want := strings.Fields(services)
		slices.Sort(want)
		testkit.Same(t, got, want, name, "counts for")
	}
}

func TestFilesOfTLSAreTriedForReading(t *testing.T) {
	var tried []string
	o := Options{TryRead: func(path string) error { tried = append(tried, path); return nil }}
	parse(t.Context(), "", []byte("virtual=1\n\ttlsca=\"/a#b\" # c\n\ttlscert=d\n\ttlskey=e \n"), o)
	if fmt.Sprint(tried) != "[/a#b d e]" {
		t.Errorf("tried %q", tried)
	}
	cfg, _ := parseText(t, "virtual=1\n\ttlsca=/no-such-folder/ca.pem\n")
	if cfg == nil {
		t.Error("without a way to try a file it was refused")
	}
}

// Directives that only this program knows are accepted in any layout, with Strict too: the Perl ldirectord refuses
// them anyway.
func TestNoWordOnLayoutsBehindAnExtension(t *testing.T) {
	const src = "virtual=192.0.2.1:99\n\treal=192.0.2.2:99 gate\n\tservice=simpletcp\n\twindow=1/2 # a\n" +
		"\tsend=\"#\" # b\r\n\tstarttls=yes \n"
	_, found := parse(t.Context(), "", []byte(src), Options{Strict: true})
	if found.HasErrors() {
		t.Error(found)
	}
}

func TestDialogueOfASectionWithoutStepsIsNone(t *testing.T) {
	v := mustParse(t, "virtual=192.0.2.1:99\n\tservice=simpletcp\n\trequest=\"a\"\n"+
		"\treal=192.0.2.2:99 gate \"b\", \"c\"\n\tsni=d\n").Virtuals[0]
	if v.Steps != nil || v.Request != "/a" {
		t.Errorf("got %v and %q", v.Steps, v.Request)
	}
}
