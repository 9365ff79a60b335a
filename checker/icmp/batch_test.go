package icmp

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// ended is the result of an echo.
type ended struct {
	echo *Echo
	took time.Duration
	err  error
}

func TestErrorOfOneMessageIsItsOwn(t *testing.T) {
	p, _ := openApart(t, false)
	unreachable := netip.MustParseAddr("192.0.2.1")
	all := make(chan ended, 200)
	var batch []*Echo
	for i := range 100 {
		to := netip.AddrFrom4([4]byte{127, 9, 9, byte(i)})
		if i%3 == 0 || i > 90 {
			to = unreachable
		}
		batch = append(batch, &Echo{To: to,
			Done: func(e *Echo, took time.Duration, err error) { all <- ended{e, took, err} }})
	}
	for range 2 { // the same echo may be sent again
		p.Send(batch)
		seen := map[*Echo]bool{}
		for range batch {
			e := <-all
			if down := e.echo.To == unreachable; down != errors.Is(e.err, syscall.ENETUNREACH) || !down &&
				(e.err != nil || e.took <= 0) {
				t.Errorf("%v after %v: %v", e.echo.To, e.took, e.err)
			}
			seen[e.echo] = true
		}
		if len(seen) != len(batch) || len(all) != 0 {
			t.Errorf("%d of %d echoes ended, %d of them twice", len(seen), len(batch), len(all))
		}
	}
}

func TestRequestsWithoutRoomAreSentLater(t *testing.T) {
	for _, healthyAddr := range loopbacks {
		ipv6 := healthyAddr.Is6()
		t.Run(healthyAddr.String(), func(t *testing.T) {
			p, h := openApart(t, ipv6)
			testkit.OK(t, h.SetWriteBuffer(1))
			all := make(chan ended, 200)
			done := func(e *Echo, took time.Duration, err error) { all <- ended{e, took, err} }
			var silent, healthy []*Echo
			for i := range 50 {
				silent = append(silent, &Echo{To: silentNeighbour(ipv6, i), Done: done})
				healthy = append(healthy, &Echo{To: healthyAddr, Done: done})
			}
			p.Send(silent)
			p.Send(healthy)
			if _, err := p.Rest(healthy[0], patient); err != syscall.ENOBUFS {
				t.Fatal("there was room: nothing is tested: ", err)
			}
			for i, e := range silent {
				if !p.Forget(e) {
					t.Errorf("silent neighbour %d has ended", i)
				}
			}
			if !p.Forget(healthy[0]) {
				t.Error("a request without room is not waited for")
			}
			for range healthy[1:] {
				if e := <-all; e.err != nil || e.took <= 0 || e.took > patient || e.echo == healthy[0] {
					t.Errorf("%v after %v: %v", e.echo.To, e.took, e.err)
				}
			}
			p.Send(silent)
			p.Close()
			for range silent {
				if e := <-all; !errors.Is(e.err, net.ErrClosed) {
					t.Errorf("closed: %v", e.err)
				}
			}
		})
	}
}
