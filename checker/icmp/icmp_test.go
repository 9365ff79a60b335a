package icmp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

const (
	patient = 5 * time.Second        // for pings that must not meet their deadline
	short   = 150 * time.Millisecond // for those that must
	slack   = 500 * time.Millisecond // what a busy machine may add
)

var usual settings.Path // to a server

var loopbacks = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}

// mayPing skips the test where this machine lacks the address family, or where pings are forbidden.
func mayPing(t *testing.T, to netip.Addr, err error) {
	t.Helper()
	if errors.Is(err, ErrDenied) || errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Skipf("can't ping %v here: %v", to, err)
	}
	testkit.OK(t, err)
}

func TestPingersReachLoopback(t *testing.T) {
	for _, to := range loopbacks {
		t.Run(to.String(), func(t *testing.T) {
			p := NewPinger()
			defer p.Close()
			took, err := p.Ping(t.Context(), to, usual, patient)
			mayPing(t, to, err)
			if took <= 0 || took > patient {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestUnprivilegedPing(t *testing.T) {
	for _, to := range loopbacks {
		for _, onLink := range []bool{false, true} {
			p := NewPinger()
			p.opened[way{to.Is6(), settings.Path{OnLink: onLink}}] = single{&p.asked}
			_, err := p.Ping(t.Context(), to, settings.Path{OnLink: onLink}, patient)
			mayPing(t, to, err)
		}
	}
}

// A ping that must stay on the link uses a socket of its own, whose packets have a hop limit of 1.
func TestPingsOnTheLinkGoOneHop(t *testing.T) {
	p := NewPinger()
	defer p.Close()
	for _, to := range loopbacks {
		_, err := p.Ping(t.Context(), to, settings.Path{OnLink: true}, patient)
		mayPing(t, to, err)
		h, ok := p.opened[way{to.Is6(), settings.Path{OnLink: true}}].(*hub)
		if !ok {
			t.Skip("needs raw sockets")
		}
		hops, err := ipv4.NewConn(h.IPConn).TTL()
		if to.Is6() {
			hops, err = ipv6.NewConn(h.IPConn).HopLimit()
		}
		if hops != 1 || err != nil {
			t.Errorf("%v: %d hops, %v", to, hops, err)
		}
	}
}

func TestFamiliesInOneBatch(t *testing.T) {
	unprivileged := NewPinger()
	for _, ipv6 := range []bool{false, true} {
		unprivileged.opened[way{ipv6: ipv6}] = single{&unprivileged.asked}
	}
	for name, p := range map[string]*Pinger{"shared": NewPinger(), "unprivileged": unprivileged} {
		t.Run(name, func(t *testing.T) {
			defer p.Close()
			const each = 50
			done := make(chan error, 4*each)
			var batch []*Echo
			for range each {
				for _, to := range loopbacks {
					batch = append(batch,
						&Echo{To: to,
							Done: func(_ *Echo, _ time.Duration,
								err error) {
								done <- err
							}})
				}
			}
			p.Send(batch)
			for i := range batch {
				mayPing(t, batch[i].To, <-done)
			}
			p.Close()
			testkit.Equal(t, len(done), 0, "ended twice")
		})
	}
}

func TestEchoesWithASocketEach(t *testing.T) {
	p := NewPinger()
	p.opened[way{}] = single{&p.asked}
	done := make(chan error, 10)
	newEcho := func() *Echo {
		return &Echo{To: loopbacks[0], Done: func(_ *Echo, _ time.Duration, err error) { done <- err }}
	}
	e := newEcho()
	for range 2 { // the same echo may be sent again
		p.Send([]*Echo{e})
		mayPing(t, e.To, <-done)
		if p.Forget(e) {
			t.Error("an echo that has ended was waited for")
		}
	}
	if rest, err := p.Rest(e, time.Hour); rest <= 0 || err != nil {
		t.Errorf("rest %v: %v", rest, err)
	}

	s := p.opened[way{}].(single)
	silent := newEcho()
	stopped := 0
	s.enter(silent, func() { stopped++ })
	if !p.Forget(silent) || p.Forget(silent) || stopped != 1 {
		t.Errorf("not forgotten once: stopped %d times", stopped)
	}
	s.enter(silent, func() { stopped++ })
	p.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) || stopped != 2 || len(done) != 0 {
		t.Errorf("closed: %v, stopped %d times", err, stopped)
	}
}

func TestHubServesManyAtOnce(t *testing.T) {
	p := NewPinger()
	defer p.Close()
	_, err := p.Ping(t.Context(), loopbacks[0], usual, patient)
	mayPing(t, loopbacks[0], err)
	h, isHub := p.opened[way{}].(*hub)
	if !isHub {
		t.Skip("raw sockets are denied here")
	}
	var lost atomic.Int32
	var wait sync.WaitGroup
	for i := range 2000 {
		to := netip.AddrFrom4([4]byte{127, 9, byte(i / 100), byte(i % 50)})
		wait.Go(func() {
			if _, err := p.Ping(t.Context(), to, usual, patient); err != nil {
				lost.Add(1)
			}
		})
	}
	wait.Wait()
	if lost.Load() > 0 {
		t.Errorf("%d of 2000 lost", lost.Load())
	}
	testkit.Equal(t, len(h.echoes), 0, "requests are still waited for")
}

func TestPingEndsInTime(t *testing.T) {
	p := newSilentPinger(t)
	begin := time.Now()
	testkit.Is(t, testkit.Error(p.Ping(t.Context(), loopbacks[0], usual, short)), os.ErrDeadlineExceeded)
	if took := time.Since(begin); took < short || took > short+slack {
		t.Errorf("took %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	testkit.Is(t, testkit.Error(p.Ping(waitedFor{ctx, cancel}, loopbacks[0], usual, patient)), context.Canceled)
	h := p.opened[way{}].(*hub)
	testkit.Equal(t, len(h.echoes), 0, "requests are still waited for")
	testkit.Is(t, testkit.Error(p.Ping(waitedFor{t.Context(), func() { p.Close() }}, loopbacks[0], usual,
		patient)), net.ErrClosed)
	testkit.Equal(t, len(h.echoes), 0, "requests are still waited for")
	testkit.Is(t, testkit.Error(p.Ping(t.Context(), loopbacks[0], usual, patient)), net.ErrClosed, "afterwards")
}

// waitedFor is a context that reports when a ping begins to wait: then the request has been sent.
type waitedFor struct {
	context.Context
	tell func()
}

func (w waitedFor) Done() <-chan struct{} {
	w.tell()
	return w.Context.Done()
}

// newSilentPinger is a pinger that gets no reply: it sends requests of an unknown type.
func newSilentPinger(t *testing.T) *Pinger {
	t.Helper()
	p := NewPinger()
	h, err := openHub(&p.asked, way{})
	mayPing(t, loopbacks[0], err)
	h.request = 255
	p.opened[way{}] = h
	t.Cleanup(func() { p.Close() })
	return p
}

const headerAt = 24 // in the replies of TestOnlyTheRightReplyCounts

func TestOnlyTheRightReplyCounts(t *testing.T) {
	p := NewPinger()
	h := &hub{waiting: &p.asked, family: families[false], id: 77, messages: newMessages(headerSize + dataSize)}
	to := loopbacks[0]
	counts := 0
	e := &Echo{To: to, Done: func(*Echo, time.Duration, error) { counts++ }}
	// reply sends the request, and returns what its server answers.
	reply := func() []byte {
		h.batch = nil
		h.enter(e, func() {})
		h.add(e)
		m := h.messages[0].Buffers[0]
		testkit.Equal(t, checksum(m), 0, "the checksum of a message with its checksum")
		m = append(append([]byte{0x46}, make([]byte, 23)...), m...) // an IP header with an option
		m[headerAt] = 0
		return m
	}
	good := reply()
	forge := func(change func(m []byte)) []byte {
		m := append([]byte(nil), good...)
		change(m)
		return m
	}
	for name, c := range map[string]struct {
		from netip.Addr
		m    []byte
	}{
		"another server":  {netip.MustParseAddr("127.0.0.2"), good},
		"another type":    {to, forge(func(m []byte) { m[headerAt] = 3 })},
		"another id":      {to, forge(func(m []byte) { m[headerAt+5]++ })},
		"another nonce":   {to, forge(func(m []byte) { m[headerAt+headerSize]++ })},
		"the nonce's end": {to, forge(func(m []byte) { m[headerAt+headerSize+15]++ })},
		"too short":       {to, good[:headerAt+headerSize+15]},
		"half a header":   {to, good[:12]},
		"empty":           {to, nil},
	} {
		h.receive(c.from, c.m, time.Now())
		if counts != 0 {
			t.Fatalf("%s: counts", name)
		}
	}
	h.receive(to, good, time.Now())
	testkit.Equal(t, counts, 1, "the right reply counts")
	h.receive(to, good, time.Now())
	testkit.Equal(t, counts, 1, "with a duplicate")
	late := reply()
	if !p.Forget(e) || p.Forget(e) {
		t.Error("an echo is not forgotten once")
	}
	h.receive(to, late, time.Now())
	reply()
	h.receive(to, late, time.Now())
	testkit.Equal(t, counts, 1, "with a late reply")
}
