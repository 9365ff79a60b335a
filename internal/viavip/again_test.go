package viavip

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
)

// twice makes two connections, and fails if it can't.
type twice struct {
	f       *fake
	between func()
	then    checker.Result // if it can
}

func (c twice) Check(ctx context.Context) checker.Result {
	connect := func() error { return c.f.connect(80) }
	begin := wire.ViaTo(ctx, netip.AddrPortFrom(virtual, 80)).Start
	err := begin(connect)
	c.between()
	if errors.Join(err, begin(connect)) != nil {
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
		"the second one is not": {(*fake).countNothing, up, errStray},
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
