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
		_, err := single{privileged: false}.Ping(t.Context(), to, patient)
		if isDenied(err) && !strings.Contains(err.Error(), "net.ipv4.ping_group_range") {
			t.Errorf("%v: not what is missing", err)
		}
		mayPing(t, to, err)
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
	h := newSilentHub(t)
	begin := time.Now()
	if _, err := h.Ping(t.Context(), loopbacks[0], short); !errors.Is(err, os.ErrDeadlineExceeded) {
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
func newSilentHub(t *testing.T) *hub {
	t.Helper()
	h, err := openHub(false)
	mayPing(t, loopbacks[0], err)
	h.request = 255
	t.Cleanup(func() { h.close() })
	return h
}

func TestOnlyTheRightReplyCounts(t *testing.T) {
	h := &hub{request: 8, reply: 0, id: 77, pending: map[echo]*waiting{}}
	to := loopbacks[0]
	key, ping := h.enter(to)
	good := h.message(key.seq, ping.nonce)
	good[0] = 0
	if checksum(h.message(key.seq, ping.nonce)) != 0 {
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
		"another nonce":    {to, forge(func(m []byte) { m[headerSize]++ })},
		"too short":        {to, good[:headerSize+15]},
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
	h := &hub{pending: map[echo]*waiting{}}
	seen := map[echo]bool{}
	for range 3 {
		key, _ := h.enter(loopbacks[0])
		if seen[key] {
			t.Errorf("%v twice", key)
		}
		seen[key] = true
		h.seq-- // as if the counter had gone round
	}
}
