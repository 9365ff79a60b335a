package viavip

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// A failure counts when a connection that the service counts fails, too: the kernel may have sent the first one to
// another server. The second one has what is left of the timeout, half of it more, up to a second, and twice what the
// last success took at least.
func TestAFailureIsRepeatedBeforeItCounts(t *testing.T) {
	brief := silent
	brief.Took = time.Second
	const dead, lacks = "down through", "down through, answers at its own"
	for _, row := range []struct {
		name               string
		first, second, own checker.Result
		want               string
		took               time.Duration // since the check began
		timeout, usual     time.Duration
	}{
		{"led astray", silent, up, up, "up through", 5 * time.Second, 0, 0},
		{"refused by another server", refused, up, up, "up through", 0, 0, 0},
		{"dead", silent, silent, silent, dead + ": through 127.0.0.9: connect: no answer in 5s",
			6 * time.Second, 0, 0},
		{"without the address", silent, silent, up, lacks, 6 * time.Second, 0, 0},
		{"without the address, a short timeout", brief, silent, up, lacks, 1500 * time.Millisecond,
			time.Second, 0},
		{"refused", refused, refused, up, lacks, 0, 0, 0},
		{"slow by habit", silent, late(3), up, "up through", 8 * time.Second, 0, 2 * time.Second},
		{"slow all at once", silent, late(3), silent, dead, 6 * time.Second, 0, 0},
		{"our own shortage", silent, checker.Result{Cause: checker.Shortage}, up, dead, 5 * time.Second, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			played(t, func(t *testing.T, f *fake) {
				usual := checker.Result{OK: true, Took: row.usual}
				c := f.check(t, giving(usual, row.second), giving(row.own)).(*check)
				c.timeout = cmp.Or(row.timeout, c.timeout)
				c.Check(t.Context())
				before := f.knocks
				if _, ok := c.Way(time.Now()); !ok {
					t.Fatal("the loop can't make it")
				}
				began := time.Now()
				time.Sleep(row.first.Took)
				r := c.Finish(t.Context(), row.first)
				want, detail, isDetailed := strings.Cut(row.want, ": ")
				testkit.Equal(t, said(r), want)
				if isDetailed {
					testkit.Equal(t, r.Detail, detail)
				}
				testkit.Equal(t, time.Since(began), row.took, "took")
				testkit.Equal(t, f.knocks-before, 1, "connections")
			})
		})
	}
}

// A server that passed before does not go out by one connection, even if the service counted it: where ports are
// scarce, a new connection from the port of one that a flush made IPVS forget may wait for a second packet. Then a last
// one has a whole timeout, if the server answers at its own address. One that did not pass stays out by one.
func TestNoSingleConnectionTakesAServerOut(t *testing.T) {
	for _, row := range []struct {
		name        string
		list        []checker.Result
		crowded     bool // every other connection is not counted
		own         checker.Result
		ok          bool
		took        time.Duration
		connections int
	}{
		{"the second one answers", []checker.Result{up, silent, up}, false, up, true, 5 * time.Second, 2},
		{"the second one does not", []checker.Result{up, silent, silent}, false, up, false, 6 * time.Second, 2},
		{"the last one answers", []checker.Result{up, silent, silent, late(3)}, true, up, true, 9 * time.Second,
			6},
		{"nor does the last one", []checker.Result{up, silent, silent, silent}, true, up, false,
			11 * time.Second, 6},
		{"it is dead", []checker.Result{up, silent, silent, late(3)}, true, silent, false, 6 * time.Second, 4},
		{"it was out", []checker.Result{silent, silent, up}, false, up, false, 5 * time.Second, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			played(t, func(t *testing.T, f *fake) {
				c := f.check(t, giving(row.list...), giving(row.own))
				if row.crowded {
					f.knock = func() error {
						f.count.Inactive += uint32(f.knocks+1) % 2
						return nil
					}
				}
				c.Check(t.Context())
				time.Sleep(summedUp + 1)
				before, began := f.knocks, time.Now()
				r := c.Check(t.Context())
				testkit.Equal(t, r.OK, row.ok)
				testkit.Equal(t, time.Since(began), row.took, "took")
				testkit.Equal(t, f.knocks-before, row.connections, "connections")
			})
		})
	}
}

// twice makes two connections, and fails if it can't.
type twice struct {
	f       *fake
	between func()
	then    checker.Result // if it can
}

func (c twice) Check(ctx context.Context) checker.Result {
	connect := func() error { return c.f.connect(80) }
	begin := wire.ViaTo(ctx, netip.AddrPortFrom(virtual, 80)).Starter
	err := begin.Start(connect)
	c.between()
	if errors.Join(err, begin.Start(connect)) != nil {
		return checker.Result{}
	}
	return c.then
}

// Each connection of a check has to be counted, not only the first. One whose turn comes too late proves nothing,
// because little of its timeout is left. Nor does silence after one whose turn came late.
func TestEachConnectionIsCounted(t *testing.T) {
	busy := func(d time.Duration) func(*fake) {
		return func(f *fake) {
			f.line <- struct{}{}
			time.AfterFunc(d, func() { <-f.line })
		}
	}
	for name, row := range map[string]struct {
		between func(*fake)
		then    checker.Result
		want    error
	}{
		"counted":               {func(*fake) {}, up, nil},
		"the second one is not": {func(f *fake) { f.astray = true }, up, errStray},
		"too late":              {busy(turnLimit + 1), up, errSilent},
		"late, and up":          {busy(lateLimit + 1), up, nil},
		"late, and silent":      {busy(lateLimit + 1), silent, errSilent},
		"late, and refused":     {busy(lateLimit + 1), refused, nil},
		"in time, and silent":   {busy(lateLimit), silent, nil},
	} {
		t.Run(name, func(t *testing.T) {
			played(t, func(t *testing.T, f *fake) {
				f.set(t, gate)
				var p passage
				f.ready(t.Context(), gate, &p)
				n := &counting{Services: f.Services, ctx: t.Context(), p: &p, left: make(chan struct{}),
					first: make(chan func() error), judged: make(chan error)}
				r, err := n.check(forever, twice{f, func() { <-n.left; row.between(f) }, row.then})
				if err != row.want || err == nil && r != row.then {
					t.Errorf("%+v, %v", r, err)
				}
			})
		})
	}
}

// After an answer that could not be judged the next connection is counted, too.
func TestAVoidAnswerLeavesTheWayDoubted(t *testing.T) {
	played(t, func(t *testing.T, f *fake) {
		through := giving(up)
		c := f.check(t, through, giving(up)).(*check)
		through.then = func() {
			f.line <- struct{}{}
			time.AfterFunc(lineTimeout+1, func() { <-f.line })
		}
		testkit.Equal(t, said(c.Check(t.Context())), "down void, unjudged")
		testkit.Equal(t, c.now.looked, time.Time{}, "looked at")
	})
}

// The kernel counts no datagrams, and may remember any source port for another server. So a server goes out or comes
// back by the results from five ports, which have to agree.
func TestDatagramsFromFivePortsDecide(t *testing.T) {
	const all = 1 + otherPorts
	for _, row := range []struct {
		name   string
		passes int // of the five
		ok     bool
		cause  checker.Cause
	}{
		{"back", all, true, 0},
		{"dead, and one port leads to another server", 1, false, checker.Unjudged},
		{"up, and one port leads to a dead server", all - 1, false, checker.Unjudged},
		{"dead", 0, false, checker.Timeout},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for lastly := range 2 { // the first check is the one that is built last
					f, built := alone(), 0
					spec := checker.Spec{Type: "negotiate", Protocol: "udp",
						NegotiateTimeout: 5 * time.Second,
						Through:          gate,
						Target:           netip.MustParseAddrPort("127.0.0.2:80")}
					f.set(t, spec.Through)
					c, err := f.New(spec, func(s checker.Spec) (checker.Checker, error) {
						r := silent
						if s.Target.Addr() != virtual {
							return giving(up), nil
						}
						if built++; (built+lastly*row.passes-1)%all < row.passes {
							r = up
						}
						a := giving(r)
						if built == all {
							return f.asked(a, 80), nil
						}
						return a, nil
					})
					if err != nil || built != all {
						t.Fatal(built, err)
					}
					began := time.Now()
					if r := c.Check(t.Context()); r.OK != row.ok || r.Cause != row.cause ||
						time.Since(began) > 6*time.Second {
						t.Errorf("after %v: %+v", time.Since(began), r)
					}
				}
			})
		})
	}
}
