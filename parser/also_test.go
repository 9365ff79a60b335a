package parser

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

const alsoSection = "virtual=192.0.2.1:80\n\treal=192.0.2.2:8080 gate \"own\", \"strings\"\n\tservice=ftp\n" +
	"\trequest=\"r\"\n\tcheckport=21\n\tlogin=\"me\"\n"

// A further check is what its line names. It has the settings of the section, except for what it sends and expects.
func TestFurtherChecks(t *testing.T) {
	for line, want := range map[string]string{
		`connect`:                           `connect/ 8080  ""`,
		`connect 0443`:                      `connect/ 443  ""`,
		`ping`:                              `ping/ 8080  ""`,
		`external # runs`:                   `external/ 8080  ""`,
		`https   443`:                       `negotiate/https 443 / ""`,
		`http_proxy 3128 "http://a.b/"`:     `negotiate/http_proxy 3128 /http://a.b/ ""`,
		`http "health"`:                     `negotiate/http 8080 /health ""`,
		`http 81 "/h # 1"  "^ok # \d" # x`:  `negotiate/http 81 /h # 1 "^ok # \\d"`,
		`dns 53 "a b.example", "192\.0\.2"`: `negotiate/dns 53 /a b.example "192\\.0\\.2"`,
		`redis 6379 "" "PONG"`:              `negotiate/redis 6379 / "PONG"`,
	} {
		cfg := mustParse(t, alsoSection+"\talsocheck = "+line+"\n")
		v := cfg.Virtuals[0]
		check := v.Check(1)
		port := check.PortOf(&v.Reals[0])
		request, receive := check.Asks(&v.Reals[0])
		got := fmt.Sprintf("%s/%s %d %s %q", check.CheckType, check.Service, port, request, receive)
		if !check.Negotiates() {
			got = fmt.Sprintf("%s/ %d  %q", check.CheckType, port, receive)
		}
		testkit.Equal(t, got, want, line)
		again := mustParse(t, alsoSection+"\talsocheck = "+v.AlsoChecks[0].Written+"\n").Virtuals[0]
		if c, now := again.AlsoChecks[0],
			v.AlsoChecks[0]; again.AlsoChecks[0].Written != v.AlsoChecks[0].Written || c.Type != now.Type ||
			c.Port != now.Port || c.Request != now.Request || c.Receive != now.Receive {
			t.Errorf("%s is written as %s, which is %+v", line, v.AlsoChecks[0].Written, c)
		}
		if check.Login != "me" || check.Check(0) != check || len(v.Checks()) != 2 {
			t.Errorf("%s: log-in %q, %d checks", line, check.Login, len(v.Checks()))
		}
		if own, _ := v.Check(0).Asks(&v.Reals[0]); own != "/own" || v.PortOf(&v.Reals[0]) != 21 {
			t.Errorf("the section's own check asks %s", own)
		}
	}
}

// A further check without a log-in uses the usual one of its own service, not that of the section's service.
func TestTheUsualLoginOfAFurtherCheck(t *testing.T) {
	src := "virtual=192.0.2.1:21\n\treal=192.0.2.2:21 gate\n\tservice=ftp\n\talsocheck = sip 5060\n" +
		"\talsocheck = smtp 25\n\talsocheck = ftp 2121\n"
	cfg, found := Parse(t.Context(), "a.cf", []byte(src), Options{HostName: "h"})
	if found.HasErrors() {
		t.Fatal(found)
	}
	var got []string
	for _, check := range cfg.Virtuals[0].Checks() {
		got = append(got, check.Login+"/"+check.Passwd)
	}
	if want := "[anonymous/ldirectord@h ldirectord@h/ / anonymous/ldirectord@h]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestTheURLOfAFurtherCheck(t *testing.T) {
	v := mustParse(t, alsoSection+"\talsocheck = https 443 \"health\"\n").Virtuals[0]
	testkit.Equal(t, v.Check(1).URL(&v.Reals[0]), "https://192.0.2.2:443/health")
	other := v.Reals[0]
	other.Addr = netip.MustParseAddrPort("192.0.2.3:0")
	testkit.Equal(t, v.Check(1).URL(&other), "https://192.0.2.3:443/health")
}

func TestFurtherChecksInJSON(t *testing.T) {
	cfg := mustParse(t, "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 gate\n\tcheckport=80\n"+
		"\talsocheck=http_proxy 81 \"http://me:pw@a.b/x\"\n\talsocheck=ping\n")
	for hidden, want := range map[bool]string{false: "http://me:pw@a.b/x", true: "http://…@a.b/x"} {
		shown := cfg
		if hidden {
			shown = cfg.WithoutSecrets()
		}
		text, err := json.Marshal(shown)
		if want := `"alsocheck":["http_proxy 81 \"` + want + `\"","ping"]`; err != nil ||
			!strings.Contains(string(text), want) {
			t.Errorf("%s\nhas no %s", text, want)
		}
	}
	if got := firstVirtual(t, alsoSection)["alsocheck"]; got != nil {
		t.Errorf("without any it is %v", got)
	}
}

// A directive that some further check uses gets no warning. A directive for the section's own check alone does.
func TestWhatFurtherChecksUse(t *testing.T) {
	const section = "virtual=192.0.2.1:80\n\treal=192.0.2.2:80 gate\n\tchecktype=connect\n"
	for _, row := range []struct{ lines, said, not string }{
		{"\thttpstatus=200\n", "httpstatus applies only to negotiate checks", ""},
		{"\thttpstatus=200\n\talsocheck=https 443\n", "", "httpstatus"},
		{"\thttpstatus=200\n\talsocheck=smtp 25\n",
			"httpstatus applies only to http, http_proxy and https; this service is smtp", ""},
		{"\tcheckcommand=/x\n\talsocheck=external\n", "", "checkcommand"},
		{"\tsend=\"x\"\n\talsocheck=simpletcp 7 \"x\"\n", "send applies only to negotiate checks", ""},
		{"\ttlsverify=yes\n\ttlsca=/x\n\talsocheck=https 443\n", "", " only "},
	} {
		if row.said != "" && !says(t, section+row.lines, row.said) || row.not != "" &&
			says(t, section+row.lines, row.not) {
			t.Errorf("%q: want %q and not %q", row.lines, row.said, row.not)
		}
	}
	const marked = "virtual=3\n\treal=192.0.2.2:80 gate\n\tmark=192.0.2.1 tcp 80,443\n"
	for lines, want := range map[string]bool{
		"\tchecktype=connect\n":                                                true,
		"\tchecktype=connect\n\talsocheck=https 443\n":                         false,
		"\tchecktype=connect\n\talsocheck=https 8443\n":                        true,
		"\tchecktype=connect\n\tcheckport=80\n\talsocheck=https 8443\n":        true,
		"\tchecktype=connect\n\tcheckport=8443\n\talsocheck=connect 80\n":      true,
		"\tchecktype=ping\n\talsocheck=connect 443\n":                          true,
		"\tchecktype=ping\n\talsocheck=connect 443\n\talsocheck=http 80\n":     false,
		"\tchecktype=connect\n\talsocheck=none 443\n":                          true,
		"\tchecktype=connect\n\tcheckcommand=/x\n\talsocheck=external\n":       false,
		"\tservice=http\n\talsocheck=ping\n\talsocheck=connect 443\n":          false,
		"\tservice=http\n\tcheckport=80\n":                                     false,
		"\tservice=http\n\tcheckport=80\n\tagentport=81\n":                     false,
		"\tchecktype=3\n\tservice=http\n\talsocheck=https 443\n\tcheckport=80": false,
	} {
		testkit.Equal(t, says(t, marked+lines, "does not answer stays in service"), want, lines, "a warning")
	}
}
