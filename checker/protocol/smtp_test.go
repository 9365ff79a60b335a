package protocol

import (
	"net"
	"testing"

	"ldirectord/internal/testkit"
)

func TestSMTP(t *testing.T) {
	smtp, submission := Spec{Service: "smtp"}, Spec{Service: "submission"}
	greeted := []step{say("220 mx.example.org ESMTP"), await("EHLO director.example.org")}
	quit := []step{await("QUIT"), say("221 bye")}
	checkFakes(t, append(greetingCases(smtp, nil, "SMTP", "220 mx.example.org ESMTP"), []fakeCase{
		{name: "good", spec: smtp, server: steps(greeted, say("250-mx.example.org", "250-SIZE 1000", "250 HELP"), quit),
			up: true, detail: "220 mx.example.org ESMTP"},
		{name: "good over IPv6", spec: submission, ipv6: true, server: steps(greeted, say("250 mx"), quit),
			up: true, detail: "220 mx.example.org ESMTP"},
		{name: "greeting of several lines", spec: smtp, server: steps(say("220-mx.example.org", "220 ESMTP"), await("EHLO director.example.org"), say("250 mx"), quit),
			up: true, detail: "220-mx.example.org"},
		{name: "knows HELO only", spec: smtp, server: steps(greeted, say("502 what?"), await("HELO director.example.org"), say("250 mx"), quit),
			up: true, detail: "220 mx.example.org ESMTP"},
		{name: "never says quit", spec: smtp, server: steps(greeted, say("250 mx"), await("QUIT"), silent),
			up: true, detail: "220 mx.example.org ESMTP"},
		{name: "closes instead of quit", spec: smtp, server: steps(greeted, say("250 mx")),
			up: true, detail: "220 mx.example.org ESMTP"},
		{name: "no service", spec: smtp, server: steps(say("554 no service here"), quit), detail: "greeting: 554 no service here"},
		{name: "too busy", spec: submission, server: steps(say("421 too \x1bbusy"), quit), detail: `greeting: 421 too \x1bbusy`},
		{name: "EHLO not now", spec: smtp, server: steps(greeted, say("421 closing"), quit), detail: "hello rejected: 421 closing"},
		{name: "EHLO and HELO rejected", spec: smtp, server: steps(greeted, say("550 no"), await("HELO director.example.org"), say("550 go away"), quit),
			detail: "hello rejected: 550 go away"},
		{name: "silent in the middle", spec: smtp, server: steps(greeted, silent), late: true, detail: "timeout waiting for the answer to EHLO"},
		{name: "silent in the answer", spec: smtp, server: steps(greeted, say("250-mx"), silent), late: true, detail: "timeout waiting for the answer to EHLO"},
		{name: "slow drip in the middle", spec: smtp, server: steps(greeted, drip("250-mx.example.org")), late: true, detail: "timeout in the answer to EHLO"},
		{name: "reset in the middle", spec: smtp, server: steps(greeted, reset), detail: "connection reset waiting for the answer to EHLO"},
		{name: "closed in the middle", spec: smtp, server: steps(greeted, raw("250-mx\r\n250")), detail: "connection closed in the answer to EHLO"},
		{name: "invalid data in the middle", spec: smtp, server: steps(greeted, say("HTTP/1.1 400 Bad Request"), silent), detail: `not SMTP: "HTTP/1.1 400 Bad Request"`},
		{name: "endless reply", spec: smtp, server: steps(greeted, endless("250-mx\r\n")), detail: "more than 65536 bytes sent before the end of the answer to EHLO"},
		{name: "POP server", spec: smtp, server: steps(say("+OK ready"), silent), detail: `not SMTP: "+OK ready"`},
	}...))
}

func TestSMTPNameIsOneThatServersTake(t *testing.T) {
	v4, v6 := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, &net.TCPAddr{IP: net.ParseIP("2001:db8::1")}
	for _, c := range []struct {
		host  string
		local net.Addr
		want  string
	}{
		{"lb1.example.org", v4, "lb1.example.org"},
		{"lb1", v4, "[192.0.2.1]"},
		{"", v6, "[IPv6:2001:db8::1]"},
		{"two words.org", v4, "[192.0.2.1]"},
		{"", nil, "localhost"},
	} {
		testkit.Equal(t, smtpName(c.host, c.local), c.want, c.host, "at", c.local)
	}
}
