package protocol

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
)

// With silence = up a port that refuses datagrams is down, and so is one that answers something else. Where nothing
// comes in half of the time, the ping has the other half.
func TestSilenceLeavesItToAPing(t *testing.T) {
	testkit.Leaks(t)
	once := func(n int, _ []byte, _ net.Addr) []string { return []string{"hello"}[min(n, 1):] }
	connect := Spec{Type: "connect", Timeout: tooLate}
	asks := Spec{Type: "negotiate", Service: "simpletcp", Request: "/PING", Receive: "^pong",
		NegotiateTimeout: tooLate}
	sends, talks := asks, asks
	apply(t, &sends, "receive=; send=x")
	apply(t, &talks, "receive=; send=x; expect=hello; send=y; expect=bye")
	half, noEcho := tooLate/2, os.ErrDeadlineExceeded
	for _, c := range []struct {
		name   string
		spec   Spec
		server datagrams // nil: the port is closed
		ping   []error   // nil: none is sent
		cause  checker.Cause
		want   string
	}{
		{"connect refused", connect, nil, nil, checker.Refused, "down: udp: refused"},
		{"connect answered", connect, replies("x"), nil, 0, `up: got "x"`},
		{"connect silent", connect, replies(), []error{nil},
			0, "up: no answer in 200ms; echo reply after 1.235ms"},
		{"connect dead", connect, replies(), []error{noEcho},
			checker.Timeout, "down: no answer in 200ms; ping: no answer in 200ms"},
		{"refused", asks, nil, nil, checker.Refused, "down: udp: refused"},
		{"good", asks, replies("pong 1"), nil, 0, `up: got "pong 1"`},
		{"wrong", asks, replies("busy"), nil,
			checker.Answer, `down: no line matches /^pong/: got "busy"`},
		{"silent", asks, replies(), []error{nil},
			0, "up: no answer in 200ms; echo reply after 1.235ms"},
		{"dead", asks, replies(), []error{noEcho},
			checker.Timeout, "down: no answer in 200ms; ping: no answer in 200ms"},
		{"a dialogue that only sends, refused", sends, nil, nil,
			checker.Refused, "down: step 2: waiting for /(?s)./: refused"},
		{"a dialogue that only sends", sends, replies(), []error{nil},
			0, "up: step 2: timeout waiting for /(?s)./; echo reply after 1.235ms"},
		{"a dialogue that falls silent", talks, once, nil,
			checker.Timeout, "down: step 4: timeout waiting for /bye/"},
	} {
		to := closedPort(t, "127.0.0.1")
		if c.server != nil {
			to = serveDatagrams(t, "127.0.0.1", c.server)
		}
		c.spec.Protocol, c.spec.Target, c.spec.PingsTheSilent = "udp", to, true
		if strings.Contains(c.want, "pong") { // it is answered
			c.spec.NegotiateTimeout = 3 * time.Second
		}
		pinger := &fakePinger{errs: c.ping}
		r := build(t, c.spec, &Env{Pinger: pinger}).Check(t.Context())
		expect(t, r, c.want, c.name)
		if r.Cause != c.cause || pinger.asked != len(c.ping) ||
			pinger.asked > 0 && pinger.timeouts[0] != half || r.Took > 10*time.Second {
			t.Errorf("%s: %+v after %d pings %v", c.name, r, pinger.asked, pinger.timeouts)
		}
	}
}

// given is a check whose results are given.
type given []Result

func (g *given) Check(context.Context) Result {
	r := (*g)[0]
	*g = (*g)[1:]
	return r
}

// The kernel of a server limits its refusals, so that silence soon after one is no sign of a program.
func TestSilenceSoonAfterARefusalIsOne(t *testing.T) {
	refused, silent := Result{Cause: checker.Refused, Detail: "refused"}, Result{Cause: checker.Timeout}
	answers, pinged := Result{OK: true, Detail: "answers"}, Result{OK: true, Detail: "pinged"}
	synctest.Test(t, func(t *testing.T) {
		c := &orPing{ping: &given{pinged, pinged, pinged},
			asked: &given{silent, refused, silent, silent, refused, answers, silent}}
		for i, want := range []string{"; pinged", "refused", "refused", "; pinged", "refused", "answers",
			"; pinged"} {
			testkit.Equal(t, c.Check(t.Context()).Detail, want, "check", i)
			time.Sleep(stillRefused / 2)
		}
	})
}
