package icmp

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	goping "github.com/go-ping/ping"
)

// single opens a socket for each echo, and has a goroutine for it. Each socket polls, and a raw one gets a copy of every
// reply. So it is for few servers, or for where there is no other way.
type single struct {
	family     int
	privileged bool

	mu    sync.Mutex // guards what follows
	asked map[*Echo]*asking
}

// asking is one time that an echo was sent.
type asking struct{ stop context.CancelFunc }

func newSingle(family int, privileged bool) *single {
	return &single{family: family, privileged: privileged, asked: map[*Echo]*asking{}}
}

// send implements pinger.
func (s *single) send(batch []*Echo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range batch {
		if e.family() != s.family {
			continue
		}
		ctx, stop := context.WithCancel(context.Background())
		a := &asking{stop}
		e.left, s.asked[e] = time.Now(), a
		go func() {
			took, err := s.ping(ctx, &net.IPAddr{IP: e.To.AsSlice(), Zone: e.To.Zone()})
			if s.end(e, a) {
				e.Done(e, took, err)
			}
		}()
	}
}

func (s *single) ping(ctx context.Context, to *net.IPAddr) (time.Duration, error) {
	p := goping.New("")
	p.SetIPAddr(to)
	p.SetPrivileged(s.privileged)
	p.SetLogger(goping.NoopLogger{})
	p.Count, p.Size, p.RecordRtts = 1, dataSize, false
	defer context.AfterFunc(ctx, p.Stop)()
	err := p.Run()
	switch {
	case isDenied(err):
		return 0, fmt.Errorf("raw sockets need CAP_NET_RAW, and net.ipv4.ping_group_range does not permit the others: %w", err)
	case err != nil:
		return 0, err
	}
	if stats := p.Statistics(); stats.PacketsRecv > 0 {
		return stats.AvgRtt, nil
	}
	return 0, os.ErrDeadlineExceeded
}

// end ends one asking, or, without it, whatever there is of an echo.
func (s *single) end(e *Echo, a *asking) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.asked[e]
	if now == nil || a != nil && a != now {
		return false
	}
	now.stop()
	delete(s.asked, e)
	return true
}

// forget implements pinger.
func (s *single) forget(e *Echo) bool { return s.end(e, nil) }

// left implements pinger.
func (s *single) left(e *Echo) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.left
}

// close implements pinger.
func (s *single) close() error {
	s.mu.Lock()
	asked := s.asked
	s.asked = map[*Echo]*asking{}
	s.mu.Unlock()
	for e, a := range asked {
		a.stop()
		e.Done(e, 0, net.ErrClosed)
	}
	return nil
}
