package parser

import (
	"fmt"
	"net/netip"
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
	got := each(cfg.Virtuals[0].Checks(), func(check *Virtual) string { return check.Login + "/" + check.Passwd })
	testkit.Equal(t, fmt.Sprint(got), "[anonymous/ldirectord@h ldirectord@h/ / anonymous/ldirectord@h]")
}

func TestTheURLOfAFurtherCheck(t *testing.T) {
	v := mustParse(t, alsoSection+"\talsocheck = https 443 \"health\"\n").Virtuals[0]
	testkit.Equal(t, v.Check(1).URL(&v.Reals[0]), "https://192.0.2.2:443/health")
	other := v.Reals[0]
	other.Addr = netip.MustParseAddrPort("192.0.2.3:0")
	testkit.Equal(t, v.Check(1).URL(&other), "https://192.0.2.3:443/health")
}

// With udp a connect check is a ping, unless it has a port of its own, which a ping would ignore.
func TestAConnectWithAPortIsOverTCP(t *testing.T) {
	const blocks = "checkdef=app\n\tchecktype=connect\n\tcheckport=8443\ncheckdef=own\n\tchecktype=connect\n"
	const section = "virtual=192.0.2.1:53\n\treal=192.0.2.2:53 gate\n\tprotocol=udp\n"
	for lines, want := range map[string]string{
		"connect": "udp ping", "own": "udp ping", "connect 8443": "tcp", "app": "tcp", "own 8443": "tcp",
		"connect 514\n\tsilence=up\n\tchecktype=connect": "udp",
	} {
		check := mustParse(t, blocks+section+"\talsocheck = "+lines+"\n").Virtuals[0].Check(1)
		got := check.Protocol.String() + map[bool]string{true: " ping"}[check.Pings()]
		testkit.Equal(t, got, want, lines)
	}
}
