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
	s := &starvation{}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			begin := time.Now()
			select {
			case <-stop:
				return
			case <-time.After(nap):
			}
			if now := time.Now(); now.Sub(begin) > nap+minLost {
				s.mu.Lock()
				s.spells = append(s.spells, spell{now, now.Sub(begin) - nap})
				s.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended })
	return s
}

// since is how much was lost since a time.
func (s *starvation) since(from time.Time) (lost time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.spells) - 1; i >= 0 && s.spells[i].end.After(from); i-- {
		lost += min(s.spells[i].lost, s.spells[i].end.Sub(from))
	}
	return lost
}
