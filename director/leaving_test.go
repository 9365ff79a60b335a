package director

import (
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/judge"
)

// A server that has left is forgotten: nothing of it is recorded for the next daemon, and its connections are no
// longer counted.
func TestAServerThatHasLeftIsForgotten(t *testing.T) {
	const file = "checkinterval = 1\ndraintime = 60\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
	for name, leave := range map[string]func(*scenario){
		"no connections": func(s *scenario) { s.step([]string{"carry", "10.2.0.2:80", "0", "0", "0"}, "") },
		"by hand":        func(s *scenario) { s.hand([]string{"-d", "-t", "10.1.0.1:80", "-r", "10.2.0.2:80"}) },
		"put back":       func(s *scenario) { s.step([]string{"reload", "two"}, "") },
		"stands by":      func(s *scenario) { s.step([]string{"standby"}, "") },
		"time over":      func(*scenario) { time.Sleep(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScenario(t)
				s.configs["one"] = file
				// with gate, two ports are one entry of the table
				s.configs["two"] = file + "\treal = 10.2.0.2:80 gate 2\n\treal = 10.2.0.2:81 gate 2\n"
				s.step([]string{"carry", "10.2.0.2:80", "1", "0", "0"}, "")
				s.step([]string{"start", "two"}, "")
				time.Sleep(3 * time.Second)
				s.step([]string{"reload", "one"}, "")
				time.Sleep(3 * time.Second)
				if len(s.recorded()) != 1 {
					t.Errorf("while it leaves, %v is recorded", s.recorded())
				}
				leave(s)
				time.Sleep(4 * time.Second)
				if len(s.recorded()) != 0 {
					t.Errorf("after it left, %v is still recorded", s.recorded())
				}
				before := s.table.looks.Load()
				time.Sleep(5 * time.Second)
				if n := s.table.looks.Load() - before; n != 0 || before == 0 {
					t.Errorf("its connections were read %d times before, then %d times", before, n)
				}
				s.stop(ErrHandover)
				time.Sleep(time.Second)
			})
		})
	}
}

func (s *scenario) recorded() []judge.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leavers
}
