package protocol

import (
	"net"
	"regexp"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// sipAnswer answers a request with a response of this status line, which has the fields of the request.
func sipAnswer(status string) datagrams {
	return func(_ int, packet []byte, _ net.Addr) []string {
		return []string{status + "\r\n" + strings.SplitAfterN(string(packet), "\r\n", 2)[1]}
	}
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
	check := build(t, asking(t, "sip", to, "protocol=udp"), nil)
	seen := map[string]bool{}
	for range cap(branches) {
		if r := check.Check(t.Context()); !r.OK {
			t.Fatal(r.Detail)
		}
		seen[<-branches] = true
	}
	testkit.Equal(t, len(seen), cap(branches), "branches in 3 checks")
}
