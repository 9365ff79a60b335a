package lab

import (
	"sync"
	"testing"
	"time"
)

// starvation measures the time in which this kernel did not run at all. The lab's kernel is a process on a machine
// that may be busy. The daemon is not responsible for such times.
type starvation struct {
	mu     sync.Mutex // guards the fields below
	spells []spell
	begun  time.Time // when the current nap began; zero: there is none
}

type spell struct {
	end  time.Time
	lost time.Duration
}

const (
	nap     = 10 * time.Millisecond
	minLost = 20 * time.Millisecond // longer naps count as lost time
)

// watchStarvation measures for the time of the test.
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

// wakes ends a nap, and begins the next one unless the time is zero.
func (s *starvation) wakes(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lost := now.Sub(s.begun) - nap; lost > minLost {
		s.spells = append(s.spells, spell{now, lost})
	}
	s.begun = now
}

// since is the time lost since a time. A nap that is already too long counts, too.
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
