package icmp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	patient = 5 * time.Second        // for pings that must not meet their deadline
	short   = 150 * time.Millisecond // for those that must
	slack   = 500 * time.Millisecond // what a busy machine may add
)

var loopbacks = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}

// mayPing ends the test where the family is missing or nothing may be sent.
func mayPing(t *testing.T, to netip.Addr, err error) {
	t.Helper()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Skipf("can't ping %v here: %v", to, err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestPingersReachLoopback(t *testing.T) {
	for name, open := range map[string]func() *Pinger{"shared": NewPinger, "one shot": NewOneShotPinger} {
		for _, to := range loopbacks {
			t.Run(name+" "+to.String(), func(t *testing.T) {
				p := open()
				defer p.Close()
				took, err := p.Ping(t.Context(), to, patient)
				mayPing(t, to, err)
				if took <= 0 || took > patient {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}

func TestUnprivilegedPing(t *testing.T) {
	for _, to := range loopbacks {
		p := &Pinger{}
		e := Echo{To: to}
		p.opened[e.family()] = newSingle(e.family(), false)
		_, err := p.Ping(t.Context(), to, patient)
		if isDenied(err) && !strings.Contains(err.Error(), "net.ipv4.ping_group_range") {
			t.Errorf("%v: not what is missing", err)
		}
		mayPing(t, to, err)
	}
}

func TestFamiliesInOneBatch(t *testing.T) {
	for name, p := range map[string]*Pinger{"shared": NewPinger(), "one shot": NewOneShotPinger()} {
		t.Run(name, func(t *testing.T) {
			defer p.Close()
			const each = 50
			done := make(chan error, 4*each)
			var batch []*Echo
			for range each {
				for _, to := range loopbacks {
					batch = append(batch, &Echo{To: to, Done: func(_ *Echo, _ time.Duration, err error) { done <- err }})
				}
			}
			p.Send(batch)
			for i := range batch {
				mayPing(t, batch[i].To, <-done)
			}
			p.Close()
			if len(done) != 0 {
				t.Errorf("%d ended twice", len(done))
			}
		})
	}
}

func TestEchoesWithASocketEach(t *testing.T) {
	p := NewOneShotPinger()
	done := make(chan error, 10)
	newEcho := func() *Echo {
		return &Echo{To: loopbacks[0], Done: func(_ *Echo, _ time.Duration, err error) { done <- err }}
	}
	e := newEcho()
	for range 2 { // an echo may be sent again
		p.Send([]*Echo{e})
		mayPing(t, e.To, <-done)
		if p.Forget(e) {
			t.Error("an echo that has ended was waited for")
		}
	}
	if rest, err := p.Rest(e, time.Hour); rest <= 0 || err != nil {
		t.Errorf("rest %v: %v", rest, err)
	}

	s := p.opened[family4].(*single)
	silent := newEcho()
	stopped := 0
	earlier, now := &asking{}, &asking{func() { stopped++ }}
	s.asked[silent] = now
	if s.end(silent, earlier) {
		t.Error("an earlier asking ends a later one")
	}
	if !p.Forget(silent) || p.Forget(silent) || stopped != 1 {
		t.Errorf("not forgotten once: stopped %d times", stopped)
	}
	s.asked[silent] = now
	p.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) || stopped != 2 || len(done) != 0 {
		t.Errorf("closed: %v, stopped %d times", err, stopped)
	}
}

func TestHubServesManyAtOnce(t *testing.T) {
	p := NewPinger()
	defer p.Close()
	_, err := p.Ping(t.Context(), loopbacks[0], patient)
	mayPing(t, loopbacks[0], err)
	h, isHub := p.opened[0].(*hub)
	if !isHub {
		t.Skip("raw sockets are denied here")
	}
	var lost atomic.Int32
	var wait sync.WaitGroup
	for i := range 2000 {
		to := netip.AddrFrom4([4]byte{127, 9, byte(i / 100), byte(i % 50)})
		wait.Go(func() {
			if _, err := p.Ping(t.Context(), to, patient); err != nil {
				lost.Add(1)
			}
		})
	}
	wait.Wait()
	if lost.Load() > 0 {
		t.Errorf("%d of 2000 lost", lost.Load())
	}
	if n := len(h.pending); n != 0 {
		t.Errorf("%d requests are still waited for", n)
	}
}

func TestPingEndsInTime(t *testing.T) {
	p := newSilentPinger(t)
	begin := time.Now()
	if _, err := p.Ping(t.Context(), loopbacks[0], short); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(begin); took < short || took > short+slack {
		t.Errorf("took %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := p.Ping(ctx, loopbacks[0], patient); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	h := p.opened[0].(*hub)
	if len(h.pending) != 0 {
		t.Errorf("%d requests are still waited for", len(h.pending))
	}
	go func() { time.Sleep(10 * time.Millisecond); p.Close() }()
	if _, err := p.Ping(t.Context(), loopbacks[0], patient); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if len(h.pending) != 0 {
		t.Errorf("%d requests are still waited for", len(h.pending))
	}
	if _, err := p.Ping(t.Context(), loopbacks[0], patient); !errors.Is(err, net.ErrClosed) {
		t.Error("after it was closed: ", err)
	}
}

// newSilentPinger is a pinger that gets no reply: it asks for nothing that exists.
func newSilentPinger(t *testing.T) *Pinger {
	t.Helper()
	h, err := openHub(family4)
	mayPing(t, loopbacks[0], err)
	h.request = 255
	p := &Pinger{opened: [2]pinger{h}}
	t.Cleanup(func() { p.Close() })
	return p
}

// newDeafHub is a hub without a socket.
func newDeafHub() *hub {
	return &hub{request: 8, reply: 0, id: 77, pending: map[key]*Echo{}, messages: newMessages(headerSize + dataSize)}
}

func TestOnlyTheRightReplyCounts(t *testing.T) {
	h := newDeafHub()
	to := loopbacks[0]
	counts := 0
	e := &Echo{To: to, Done: func(*Echo, time.Duration, error) { counts++ }}
	h.enter(e)
	good := h.messages[0].Buffers[0]
	if checksum(good) != 0 {
		t.Error("the checksum of a message with its checksum is not 0")
	}
	good[0] = 0
	forge := func(change func(m []byte)) []byte {
		m := append([]byte(nil), good...)
		change(m)
		return m
	}
	for name, c := range map[string]struct {
		from netip.Addr
		m    []byte
	}{
		"another server":   {netip.MustParseAddr("127.0.0.2"), good},
		"another type":     {to, forge(func(m []byte) { m[0] = 3 })},
		"another id":       {to, forge(func(m []byte) { m[5]++ })},
		"another sequence": {to, forge(func(m []byte) { m[7]++ })},
		"another nonce":    {to, forge(func(m []byte) { m[headerSize]++ })},
		"the nonce's end":  {to, forge(func(m []byte) { m[headerSize+15]++ })},
		"too short":        {to, good[:headerSize+15]},
		"empty":            {to, nil},
	} {
		h.receive(c.from, c.m, time.Now())
		if counts != 0 {
			t.Fatalf("%s: counts", name)
		}
	}
	h.receive(to, good, time.Now())
	if counts != 1 {
		t.Error("the right reply does not count")
	}
	h.receive(to, good, time.Now())
	if counts != 1 {
		t.Error("a duplicate counts")
	}
	h.keys = nil
	h.enter(e)
	late := append([]byte(nil), h.messages[0].Buffers[0]...)
	late[0] = 0
	if !h.forget(e) || h.forget(e) {
		t.Error("an echo is not forgotten once")
	}
	h.receive(to, late, time.Now())
	h.keys = nil
	h.enter(e)
	h.receive(to, late, time.Now())
	if counts != 1 {
		t.Error("a late reply counts")
	}
}

func TestIPHeaderIsNoPartOfTheReply(t *testing.T) {
	for m, want := range map[string]string{"\x45" + strings.Repeat("-", 19) + "reply": "reply", "\x46" + strings.Repeat("-", 23) + "reply": "reply", "\x4fshort": "", "": ""} {
		if got := string((&hub{family: family4}).payload([]byte(m))); got != want {
			t.Errorf("%q: %q", m, got)
		}
		if got := string((&hub{family: family6}).payload([]byte(m))); got != m {
			t.Errorf("%q: %q for IPv6, which has none", m, got)
		}
	}
}

func TestSequenceNumbersInUseAreSkipped(t *testing.T) {
	h := newDeafHub()
	for range 3 {
		h.keys = nil
		h.enter(&Echo{To: loopbacks[0]})
		h.seq-- // as if the counter had gone round
	}
	if len(h.pending) != 3 {
		t.Errorf("3 wait with %d sequence numbers", len(h.pending))
	}
}

func TestMoreThanAllSequenceNumbersOfOneServer(t *testing.T) {
	h := newDeafHub()
	for i := range 1 << 16 {
		h.keys = nil
		if !h.enter(&Echo{To: loopbacks[0]}) {
			t.Fatalf("only %d for one server", i)
		}
	}
	h.keys = nil
	if h.enter(&Echo{To: loopbacks[0]}) {
		t.Error("two wait for one reply")
	}
	if !h.enter(&Echo{To: loopbacks[0].Next()}) {
		t.Error("another server has no sequence numbers of its own")
	}
}
