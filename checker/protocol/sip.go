package protocol

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"ldirectord/checker/wire"
)

// sipResend is the wait before a request is sent again over UDP: T1 of RFC 3261, 17.1.1.1.
const sipResend = 500 * time.Millisecond

// sip requests a SIP server's options (RFC 3261, 11). Only 200 OK is accepted.
type sip struct{ user string }

func newSIP(s Spec, e *Env, _ *matcher) (Checker, error) {
	t := sip{wire.CleanField(cmp.Or(s.Login, "ldirectord@"+e.HostName))}
	if s.Protocol == "udp" {
		return &sipUDP{t, serverOf(s)}, nil
	}
	return newTalk(s, e, nil, t.run)
}

// run makes the request over TCP.
func (t sip) run(d *dialogue) (string, error) {
	if err := d.Send("the request",
		strings.TrimSuffix(t.request("TCP", d.Conn.LocalAddr(), rand.Text()), "\r\n")); err != nil {
		return "", err
	}
	for {
		status, err := d.Line("the answer")
		for err == nil && status == "" { // line breaks before an answer mean nothing (RFC 3261, 7.5)
			status, err = d.Line("the answer")
		}
		for line := status; err == nil && line != ""; {
			line, err = d.Line("the answer")
		}
		if err == nil {
			err = judgeSIP(status)
		}
		if !errors.Is(err, wire.ErrNotYet) {
			return wire.Show(status), err
		}
	}
}

// sipUDP makes the request over UDP.
type sipUDP struct {
	sip
	server
}

// Check implements Checker.
func (c *sipUDP) Check(ctx context.Context) Result {
	token := rand.Text() // new for each check: otherwise proxies would see a repetition
	var status string
	q := c.question(sipResend)
	q.Accept = func(datagram []byte) error {
		lines := strings.ReplaceAll(string(datagram), "\r\n", "\n") // as over TCP, LF alone ends a line, too
		head, _, whole := strings.Cut(lines, "\n\n")
		line, fields, _ := strings.Cut(head, "\n")
		if id, ok := callID(fields); ok && id != token {
			return wire.ErrNotYet
		}
		status = line
		if err := judgeSIP(line); err != nil || whole {
			return err
		}
		return errors.New("the answer is cut off")
	}
	err := q.Ask(ctx, func(from *wire.Conn) []byte {
		return []byte(c.request("UDP", from.LocalAddr(), token))
	})
	return concluded(wire.Show(status), err)
}

// sipRequest is the format of a request. Its operands are the user, the transport, our address and a token.
const sipRequest = `OPTIONS sip:%[1]s SIP/2.0
Via: SIP/2.0/%[2]s %[3]v;branch=z9hG4bK%[4]s
Max-Forwards: 70
To: <sip:%[1]s>
From: <sip:%[1]s>;tag=%[4]s
Call-ID: %[4]s
CSeq: 1 OPTIONS
Contact: <sip:%[1]s>
Accept: application/sdp
Content-Length: 0

`

func (t sip) request(transport string, from net.Addr, token string) string {
	return strings.ReplaceAll(fmt.Sprintf(sipRequest, t.user, transport, from, token), "\n", "\r\n")
}

// judgeSIP returns an error unless a status line begins with 200 OK. For a provisional status the error is
// wire.ErrNotYet.
func judgeSIP(line string) error {
	status, ok := strings.CutPrefix(line, "SIP/2.0 ")
	switch {
	case !ok:
		return fmt.Errorf("not SIP: %s", wire.Excerpt(line))
	case strings.HasPrefix(status, "200 OK"):
		return nil
	case len(status) > 2 && status[0] == '1':
		return wire.ErrNotYet
	}
	return fmt.Errorf("status %s, want 200 OK", wire.Show(status))
}

// callID returns the value of the header field Call-ID, or i for short, regardless of case.
func callID(fields string) (id string, ok bool) {
	for line := range strings.Lines(fields) {
		key, value, _ := strings.Cut(line, ":")
		if key = strings.TrimSpace(key); strings.EqualFold(key, "call-id") || strings.EqualFold(key, "i") {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}
