package protocol

import (
	"context"
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
	d := dialogues{t: t}
	pings := map[string][]error{"answered": {nil}, "dead": {os.ErrDeadlineExceeded}}
	for _, row := range testkit.Table(t, "../../testdata/checker/orping.txt", 6) {
		to := serveDatagrams(t, "127.0.0.1", d.datagrams(row[2]))
		s := Spec{Type: "negotiate", Service: "simpletcp", Protocol: "udp", Target: to, PingsTheSilent: true,
			Timeout: tooLate, NegotiateTimeout: tooLate}
		apply(t, &s, row[1])
		if strings.Contains(row[5], "pong") { // it is answered
			s.NegotiateTimeout = 3 * time.Second
		}
		pinger := &fakePinger{errs: pings[row[3]]}
		r := build(t, s, &Env{Pinger: pinger}).Check(t.Context())
		expect(t, r, row[5], row[0])
		testkit.Equal(t, causeName(r), row[4], row[0])
		if pinger.asked != len(pinger.errs) || pinger.asked > 0 && pinger.timeouts[0] != tooLate/2 ||
			r.Took > 10*time.Second {
			t.Errorf("%s: %+v after %d pings %v", row[0], r, pinger.asked, pinger.timeouts)
		}
	}
}

// given is a check whose results are given. It counts as one that runs a program.
type given []Result

func (*given) Programs() int { return 1 }

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
