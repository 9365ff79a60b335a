package parser

import (
	"slices"
	"strings"
	"testing"

	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

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

// Directives that only this program knows are accepted in any layout, with Strict too: the Perl ldirectord refuses
// them anyway.
func TestNoWordOnLayoutsBehindAnExtension(t *testing.T) {
	const src = "virtual=192.0.2.1:99\n\treal=192.0.2.2:99 gate\n\tservice=simpletcp\n\twindow=1/2 # a\n" +
		"\tsend=\"#\" # b\r\n\tstarttls=yes \n"
	_, found := parseWith(t, src, Options{Strict: true})
	if found.HasErrors() {
		t.Error(found)
	}
}
