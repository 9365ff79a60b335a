package protocol

import (
	"net"
	"regexp"
	"strings"
	"testing"

	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// sipAnswer answers a request with responses of these status lines. Each has the fields of the request.
func sipAnswer(statuses ...string) datagrams {
	return func(_ int, packet []byte, _ net.Addr) (answers []string) {
		fields := strings.SplitAfterN(string(packet), "\r\n", 2)[1]
		for _, status := range statuses {
			answers = append(answers, status+"\r\n"+fields)
		}
		return answers
	}
}

func TestSIPOverUDP(t *testing.T) {
	user := Spec{Service: "sip", Protocol: "udp", Account: settings.Account{Login: "monitor@example.net"}}
	fixed := func(text string) datagrams {
		return func(int, []byte, net.Addr) []string { return []string{text} }
	}
	checkDatagrams(t, []datagramCase{
		{name: "good", spec: user, server: sipAnswer("SIP/2.0 200 OK"), up: true, detail: "SIP/2.0 200 OK"},
		{name: "good over IPv6", spec: user, ipv6: true, server: sipAnswer("SIP/2.0 200 OK"), up: true, detail: "SIP/2.0 200 OK"},
		{name: "tries first", spec: user, server: sipAnswer("SIP/2.0 100 Trying", "SIP/2.0 200 OK"), up: true, detail: "SIP/2.0 200 OK"},
		{name: "few fields", spec: user, server: fixed("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"), up: true, detail: "SIP/2.0 200 OK"},
		{name: "the first packet is lost", spec: user, server: func(n int, packet []byte, from net.Addr) []string {
			if n == 0 {
				return nil
			}
			return sipAnswer("SIP/2.0 200 OK")(n, packet, from)
		}, up: true, detail: "SIP/2.0 200 OK"},
		{name: "an answer to another comes first", spec: user, server: func(n int, packet []byte, from net.Addr) []string {
			return append([]string{"SIP/2.0 503 Busy\r\ni: of another\r\n\r\n"}, sipAnswer("SIP/2.0 200 OK")(n, packet, from)...)
		}, up: true, detail: "SIP/2.0 200 OK"},
		{name: "busy", spec: user, server: sipAnswer("SIP/2.0 503 Busy \x1b"), detail: `status 503 Busy \x1b, want 200 OK`},
		{name: "not found", spec: user, server: sipAnswer("SIP/2.0 404 Not Found"), detail: "status 404 Not Found, want 200 OK"},
		{name: "accepted only", spec: user, server: sipAnswer("SIP/2.0 202 Accepted"), detail: "status 202 Accepted, want 200 OK"},
		{name: "tries forever", spec: user, server: sipAnswer("SIP/2.0 100 Trying"), late: true, detail: "no answer in 400ms, but other datagrams"},
		{name: "cut off", spec: user, server: fixed("SIP/2.0 200 OK\r\nVia"), detail: "the answer is cut off"},
		{name: "echo", spec: user, server: sipAnswer("OPTIONS sip:monitor@example.net SIP/2.0"), detail: `not SIP: "OPTIONS sip:monitor@example.net SIP/2.0"`},
		{name: "another protocol", spec: user, server: fixed("\x00\x01"), detail: `not SIP: "\x00\x01"`},
		{name: "oversized notProtocol", spec: user, server: fixed(strings.Repeat("x", 60000)), detail: `not SIP: "` + strings.Repeat("x", 60) + `"…`},
		{name: "silent", spec: user, server: func(int, []byte, net.Addr) []string { return nil }, late: true, detail: "no answer in 400ms"},
		{name: "refused", spec: user, detail: "udp: refused"},
		{name: "refused over IPv6", spec: user, ipv6: true, detail: "udp: refused"},
	})
}

func TestSIPOverTCP(t *testing.T) {
	user := Spec{Service: "sip", Protocol: "tcp", Account: settings.Account{Login: "monitor@example.net"}}
	ok := say("SIP/2.0 200 OK", "Content-Length: 0", "")
	checkFakes(t, []fakeCase{
		{name: "good", spec: user, server: steps(hearSIP, ok), up: true, detail: "SIP/2.0 200 OK"},
		{name: "good over IPv6", spec: user, ipv6: true, server: steps(hearSIP, ok), up: true, detail: "SIP/2.0 200 OK"},
		{name: "tries first", spec: user, server: steps(hearSIP, say("SIP/2.0 100 Trying", ""), ok), up: true, detail: "SIP/2.0 200 OK"},
		{name: "busy", spec: user, server: steps(hearSIP, say("SIP/2.0 503 Busy", "")), detail: "status 503 Busy, want 200 OK"},
		{name: "another protocol", spec: user, server: steps(hearSIP, say("HTTP/1.1 200 OK", "")), detail: `not SIP: "HTTP/1.1 200 OK"`},
		{name: "refused", spec: user, detail: "connect: refused"},
		{name: "refused over IPv6", spec: user, ipv6: true, detail: "connect: refused"},
		{name: "silent", spec: user, server: steps(hearSIP, silent), late: true, detail: "timeout waiting for the answer"},
		{name: "silent in the middle", spec: user, server: steps(hearSIP, say("SIP/2.0 200 OK"), silent), late: true, detail: "timeout waiting for the answer"},
		{name: "slow drip", spec: user, server: steps(hearSIP, drip("SIP/2.0 200 OK")), late: true, detail: "timeout in the answer"},
		{name: "closed without an answer", spec: user, server: steps(hearSIP), detail: "connection closed waiting for the answer"},
		{name: "closed in the middle", spec: user, server: steps(hearSIP, say("SIP/2.0 200 OK")), detail: "connection closed waiting for the answer"},
		{name: "endless line", spec: user, server: steps(hearSIP, endless("SIP/2.0 200 OK")), detail: "a line of more than 4096 bytes in the answer"},
		{name: "endless answer", spec: user, server: steps(hearSIP, endless("SIP/2.0 200 OK\r\n")), detail: "more than 65536 bytes sent before the end of the answer"},
	})
}

// hearSIP reads a request.
func hearSIP(c *client) bool {
	for {
		line, err := c.read.ReadString('\n')
		if err != nil {
			c.t.Errorf("the request ends after %q: %v", line, err)
			return false
		}
		if line == "\r\n" {
			return true
		}
	}
}

func TestSIPRequest(t *testing.T) {
	from := &net.UDPAddr{IP: net.ParseIP("2001:db8::1"), Port: 5062}
	got := sip{"ldirectord@director"}.request("UDP", from, "f00")
	want := "OPTIONS sip:ldirectord@director SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP [2001:db8::1]:5062;branch=z9hG4bKf00\r\n" +
		"Max-Forwards: 70\r\n" +
		"To: <sip:ldirectord@director>\r\n" +
		"From: <sip:ldirectord@director>;tag=f00\r\n" +
		"Call-ID: f00\r\n" +
		"CSeq: 1 OPTIONS\r\n" +
		"Contact: <sip:ldirectord@director>\r\n" +
		"Accept: application/sdp\r\n" +
		"Content-Length: 0\r\n\r\n"
	testkit.Equal(t, got, want)
}

func TestSIPRequestsDiffer(t *testing.T) {
	branch := regexp.MustCompile("branch=[^\r]*")
	branches := make(chan string, 3)
	to := serveDatagrams(t, "127.0.0.1", func(n int, packet []byte, from net.Addr) []string {
		branches <- branch.FindString(string(packet))
		return sipAnswer("SIP/2.0 200 OK")(n, packet, from)
	})
	check := testkit.Must(New(Spec{Type: "negotiate", Service: "sip", Protocol: "udp", Target: to, NegotiateTimeout: inTime}, nil))(t)
	seen := map[string]bool{}
	for range cap(branches) {
		if r := check.Check(t.Context()); !r.OK {
			t.Fatal(r.Detail)
		}
		seen[<-branches] = true
	}
	testkit.Equal(t, len(seen), cap(branches), "branches in 3 checks")
}
