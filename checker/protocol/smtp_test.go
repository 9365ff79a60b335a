package protocol

import (
	"net"
	"testing"

	"ldirectord/internal/testkit"
)

func TestSMTP(t *testing.T) {
	smtp, submission := Spec{Service: "smtp"}, Spec{Service: "submission"}
	greeted := steps("< 220 mx.example.org ESMTP", "> EHLO director.example.org")
	quit := steps("> QUIT", "< 221 bye")
	checkFakes(t, nil, append(greetingCases(smtp, "SMTP", "220 mx.example.org ESMTP"), []fakeCase{
		{"good", smtp, steps(greeted, "< 250-mx.example.org", "< 250-SIZE 1000", "< 250 HELP", quit),
			"up: 220 mx.example.org ESMTP"},
		{"submission", submission, steps(greeted, "< 250 mx", quit), "up: 220 mx.example.org ESMTP"},
		{"greeting of several lines", smtp,
			steps("< 220-mx.example.org", "< 220 ESMTP", "> EHLO director.example.org", "< 250 mx",
				quit),
			"up: 220-mx.example.org"},
		{"knows HELO only", smtp,
			steps(greeted, "< 502 what?", "> HELO director.example.org", "< 250 mx", quit),
			"up: 220 mx.example.org ESMTP"},
		{"never says quit", smtp, steps(greeted, "< 250 mx", "> QUIT", silent),
			"up: 220 mx.example.org ESMTP"},
		{"closes instead of quit", smtp, steps(greeted, "< 250 mx"), "up: 220 mx.example.org ESMTP"},
		{"no service", smtp, steps("< 554 no service here", quit), "down: greeting: 554 no service here"},
		{"too busy", submission, steps("< 421 too \x1bbusy", quit), `down: greeting: 421 too \x1bbusy`},
		{"EHLO not now", smtp, steps(greeted, "< 421 closing", quit), "down: hello rejected: 421 closing"},
		{"EHLO and HELO rejected", smtp,
			steps(greeted, "< 550 no", "> HELO director.example.org", "< 550 go away", quit),
			"down: hello rejected: 550 go away"},
		{"silent in the answer", late(smtp), steps(greeted, "< 250-mx", silent),
			"down: timeout waiting for the answer to EHLO"},
		{"slow drip in the middle", late(smtp), steps(greeted, drip("250-mx.example.org")),
			"down: timeout in the answer to EHLO"},
		{"reset in the middle", smtp, steps(greeted, reset),
			"down: connection reset waiting for the answer to EHLO"},
		{"closed in the middle", smtp, steps(greeted, raw("250-mx\r\n250")),
			"down: connection closed in the answer to EHLO"},
		{"invalid data in the middle", smtp, steps(greeted, "< HTTP/1.1 400 Bad Request", silent),
			`down: not SMTP: "HTTP/1.1 400 Bad Request"`},
		{"endless reply", smtp, steps(greeted, endless("250-mx\r\n")),
			"down: more than 65536 bytes sent before the end of the answer to EHLO"},
		{"POP server", smtp, steps("< +OK ready", silent), `down: not SMTP: "+OK ready"`},
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
