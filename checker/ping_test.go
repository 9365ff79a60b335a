package checker

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
)

// fakePinger answers with the errors it was given, in turn.
type fakePinger struct {
	errs     []error
	asked    int
	timeouts []time.Duration
}

func (p *fakePinger) Ping(_ context.Context, _ netip.Addr, timeout time.Duration) (time.Duration, error) {
	err := p.errs[p.asked]
	p.asked++
	p.timeouts = append(p.timeouts, timeout)
	return 1234567 * time.Nanosecond, err
}

func TestPingIsTriedAgainAfterSilenceOnly(t *testing.T) {
	silent := os.ErrDeadlineExceeded
	for name, c := range map[string]struct {
		errs  []error
		asked int
		want  Result
	}{
		"first":       {[]error{nil}, 1, Result{OK: true, Stage: AtMatch, Detail: "echo reply after 1.235ms"}},
		"third":       {[]error{silent, silent, nil}, 3, Result{OK: true, Stage: AtMatch, Detail: "echo reply after 1.235ms"}},
		"none":        {[]error{silent, silent, silent}, 3, Result{Stage: AtAnswer, Cause: Timeout, Detail: "ping: no answer in 3 times 5s"}},
		"unreachable": {[]error{silent, syscall.ENETUNREACH}, 2, Result{Stage: AtAnswer, Cause: Unreachable, Detail: "ping: network is unreachable"}},
		"forbidden":   {[]error{syscall.EPERM}, 1, Result{Stage: AtAnswer, Detail: "ping: operation not permitted"}},
		"shortage":    {[]error{syscall.ENOBUFS}, 1, Result{Stage: AtAnswer, Cause: Shortage, Local: true, Detail: "ping: no buffer space available"}},
	} {
		p := &fakePinger{errs: c.errs}
		spec := anySpec("ping")
		spec.Attempts, spec.Timeout = 3, patient
		if r := build(t, spec, &Env{Pinger: p}).Check(t.Context()); r != c.want || p.asked != c.asked || p.timeouts[0] != patient {
			t.Errorf("%s: %+v after %d, want %+v after %d", name, r, p.asked, c.want, c.asked)
		}
	}
}

func TestPingIsTheConnectCheckOfUDP(t *testing.T) {
	p := &fakePinger{errs: []error{nil}}
	spec := anySpec("connect")
	spec.Protocol = "udp"
	if r := build(t, spec, &Env{Pinger: p}).Check(t.Context()); !r.OK || p.asked != 1 {
		t.Errorf("%+v, asked %d", r, p.asked)
	}
}

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
	for name, open := range map[string]func() *Ping{"shared": NewPinger, "one shot": NewOneShotPinger} {
		for _, to := range loopbacks {
			t.Run(name+" "+to.String(), func(t *testing.T) {
				leaks(t)
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
		_, err := singlePinger{privileged: false}.Ping(t.Context(), to, patient)
		var f *fault
		if errors.As(err, &f) && errors.Is(err, syscall.EACCES) {
			if want := "raw sockets need CAP_NET_RAW, and net.ipv4.ping_group_range does not permit the others"; err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		mayPing(t, to, err)
	}
}

func TestHubServesManyAtOnce(t *testing.T) {
	leaks(t)
	p := NewPinger()
	defer p.Close()
	_, err := p.Ping(t.Context(), loopbacks[0], patient)
	mayPing(t, loopbacks[0], err)
	if len(p.hubs) == 0 {
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
	if n := len(p.hubs[0].pending); n != 0 {
		t.Errorf("%d requests are still waited for", n)
	}
}

func TestPingEndsInTime(t *testing.T) {
	h := newSilentHub(t)
	begin := time.Now()
	if _, err := h.Ping(t.Context(), loopbacks[0], short); !isTimeout(err) {
		t.Error(err)
	}
	if took := time.Since(begin); took < short || took > short+slack {
		t.Errorf("took %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := h.Ping(ctx, loopbacks[0], patient); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	go func() { time.Sleep(10 * time.Millisecond); h.close() }()
	if _, err := h.Ping(t.Context(), loopbacks[0], patient); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if len(h.pending) != 0 {
		t.Errorf("%d requests are still waited for", len(h.pending))
	}
}

// newSilentHub is a hub that gets no reply: it asks for nothing that exists.
func newSilentHub(t *testing.T) *pingHub {
	t.Helper()
	h, err := openPingHub(false)
	mayPing(t, loopbacks[0], err)
	h.request = 255
	t.Cleanup(func() { h.close() })
	return h
}

func TestOnlyTheRightReplyCounts(t *testing.T) {
	h := &pingHub{request: 8, reply: 0, id: 77, pending: map[pingKey]*pendingPing{}}
	to := loopbacks[0]
	key, ping := h.enter(to)
	good := h.message(key.seq, ping.nonce)
	good[0] = 0
	if internetChecksum(h.message(key.seq, ping.nonce)) != 0 {
		t.Error("the checksum of a message with its checksum is not 0")
	}
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
		"another nonce":    {to, forge(func(m []byte) { m[pingHeader]++ })},
		"too short":        {to, good[:pingHeader+15]},
		"empty":            {to, nil},
	} {
		h.receive(c.from, c.m)
		select {
		case <-ping.took:
			t.Errorf("%s: counts", name)
		default:
		}
	}
	h.receive(to, good)
	h.receive(to, good) // a duplicate blocks nobody
	select {
	case <-ping.took:
	default:
		t.Error("the right reply does not count")
	}
	h.leave(key)
	h.receive(to, good) // nor does a late one
}

func TestSequenceNumbersInUseAreSkipped(t *testing.T) {
	h := &pingHub{pending: map[pingKey]*pendingPing{}}
	seen := map[pingKey]bool{}
	for range 3 {
		key, _ := h.enter(loopbacks[0])
		if seen[key] {
			t.Errorf("%v twice", key)
		}
		seen[key] = true
		h.seq-- // as if the counter had gone round
	}
}
