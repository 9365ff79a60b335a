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
	checkDatagrams(t, []datagramCase{
		{"good", user, sipAnswer("SIP/2.0 200 OK"), "up: SIP/2.0 200 OK"},
		{"tries first", user, sipAnswer("SIP/2.0 100 Trying", "SIP/2.0 200 OK"), "up: SIP/2.0 200 OK"},
		{"few fields", user, replies("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"), "up: SIP/2.0 200 OK"},
		{"the first packet is lost", user, afterLoss(sipAnswer("SIP/2.0 200 OK")), "up: SIP/2.0 200 OK"},
		{"an answer to another comes first", user, func(n int, packet []byte, from net.Addr) []string {
			return append([]string{"SIP/2.0 503 Busy\r\ni: of another\r\n\r\n"},
				sipAnswer("SIP/2.0 200 OK")(n, packet, from)...)
		}, "up: SIP/2.0 200 OK"},
		{"busy", user, sipAnswer("SIP/2.0 503 Busy \x1b"), `down: status 503 Busy \x1b, want 200 OK`},
		{"not found", user, sipAnswer("SIP/2.0 404 Not Found"), "down: status 404 Not Found, want 200 OK"},
		{"accepted only", user, sipAnswer("SIP/2.0 202 Accepted"), "down: status 202 Accepted, want 200 OK"},
		{"tries forever", late(user), sipAnswer("SIP/2.0 100 Trying"),
			"down: no answer in 400ms, but other datagrams"},
		{"cut off", user, replies("SIP/2.0 200 OK\r\nVia"), "down: the answer is cut off"},
		{"echo", user, sipAnswer("OPTIONS sip:monitor@example.net SIP/2.0"),
			`down: not SIP: "OPTIONS sip:monitor@example.net SIP/2.0"`},
		{"another protocol", user, replies("\x00\x01"), `down: not SIP: "\x00\x01"`},
		{"oversized notProtocol", user, replies(strings.Repeat("x", 60000)),
			`down: not SIP: "` + strings.Repeat("x", 60) + `"…`},
	})
}

// hearHeader reads up to an empty line.
func hearHeader(c *client) bool {
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
	check := testkit.Must(New(Spec{Type: "negotiate", Service: "sip", Protocol: "udp", Target: to,
		NegotiateTimeout: inTime}, nil))(t)
	seen := map[string]bool{}
	for range cap(branches) {
		if r := check.Check(t.Context()); !r.OK {
			t.Fatal(r.Detail)
		}
		seen[<-branches] = true
	}
	testkit.Equal(t, len(seen), cap(branches), "branches in 3 checks")
}
