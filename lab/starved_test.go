package lab

import (
	"sync"
	"testing"
	"time"
)

// starvation measures how long nothing of this kernel ran: the lab's is a process of a machine that may be
// busy. Such time is the machine's and not the daemon's.
type starvation struct {
	mu     sync.Mutex // guards what follows
	spells []spell
	begun  time.Time // the nap under way; zero: there is none
}

type spell struct {
	end  time.Time
	lost time.Duration
}

const (
	nap     = 10 * time.Millisecond
	minLost = 20 * time.Millisecond // of a nap
)

// watchStarvation measures until the test ends.
func watchStarvation(t *testing.T) *starvation {
	s := &starvation{begun: time.Now()}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				s.wakes(time.Time{})
				return
			case <-time.After(nap):
				s.wakes(time.Now())
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended })
	return s
}

// wakes ends a nap and begins the next one; there is none after the zero time.
func (s *starvation) wakes(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lost := now.Sub(s.begun) - nap; lost > minLost {
		s.spells = append(s.spells, spell{now, lost})
	}
	s.begun = now
}

// since is how much was lost since a time. Who asks may run before the nap ends that was too long.
func (s *starvation) since(from time.Time) (lost time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); !s.begun.IsZero() && now.Sub(s.begun) > nap+minLost {
		lost = max(0, min(now.Sub(s.begun)-nap, now.Sub(from)))
	}
	for i := len(s.spells) - 1; i >= 0 && s.spells[i].end.After(from); i-- {
		lost += min(s.spells[i].lost, s.spells[i].end.Sub(from))
	}
	return lost
}
