package director

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/judge"
	"ldirectord/lvs"
)

// picky is a table that refuses one operation. It records how many operations each request had.
type picky struct {
	*recorder
	mu      sync.Mutex // guards the fields below
	refuses string
	batches []int
}

// tell sets the operation that is refused from now on. It returns the sizes of the requests since the last call.
func (p *picky) tell(refuses string) (batches []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	batches, p.batches, p.refuses = p.batches, nil, refuses
	return batches
}

func (p *picky) Do(ctx context.Context, ops ...lvs.Op) []error {
	p.mu.Lock()
	p.batches = append(p.batches, len(ops))
	refuses := p.refuses
	p.mu.Unlock()
	return each(ops, func(op lvs.Op) error {
		if op.String() == refuses {
			p.s.say("refused: " + op.String())
			return errors.New("no")
		}
		return p.recorder.Do(ctx, op)[0]
	})
}

// Servers are added to all virtual services before any server is removed. Where the addition is refused, the service
// keeps its server, and the addition is tried again alone.
func TestManyServicesChangeInRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		const refused = "-a -t 10.1.0.2:80 -r 10.2.0.9:80 -g -w 1"
		table := &picky{recorder: s.table, refuses: refused}
		s.client = table
		var text strings.Builder
		text.WriteString("checkinterval = 1\nquiescent = no\n")
		for i := range 3 {
			fmt.Fprintf(&text, "virtual = 10.1.0.%d:80\n\treal = 10.2.0.1:80 gate\n\tfallback = 10.2.0.9:80 gate\n\tchecktype = connect\n", i+1)
		}
		s.configs["one"] = text.String()
		s.start("one", false)
		time.Sleep(3500 * time.Millisecond)
		s.take()
		table.tell(refused)
		s.set(servers[0], "down")
		time.Sleep(time.Second)
		want := []string{
			"-a -t 10.1.0.1:80 -r 10.2.0.9:80 -g -w 1", "refused: " + refused, "-a -t 10.1.0.3:80 -r 10.2.0.9:80 -g -w 1",
			"-d -t 10.1.0.1:80 -r 10.2.0.1:80", "-d -t 10.1.0.3:80 -r 10.2.0.1:80",
		}
		done := s.take()
		if got := done[:5]; !slices.Equal(got, want) {
			t.Errorf("done was %q, want %q", got, want)
		}
		batches := table.tell("")
		if tries := slices.DeleteFunc(batches[2:], func(n int) bool { return n == 1 }); !slices.Equal(batches[:2], []int{3, 2}) || len(tries) > 0 {
			t.Errorf("requests of %v operations, larger retries of %v", batches[:2], tries)
		}
		if said := strings.Join(done, "\n"); strings.Count(said, "Table change failed: 10.1.0.2:80") != 1 || strings.Count(said, "Table change failed") != 1 {
			t.Errorf("the log has\n%s", said)
		}
		time.Sleep(time.Second)
		have, _ := s.table.Memory.Read(t.Context())
		for key, v := range have {
			if len(v.Dests) != 1 || v.Dests.Weight(servers[0]) > 0 {
				t.Errorf("%v has %v, want the fallback server alone", key, v.Dests)
			}
		}
		s.stop(ErrHandover)
		time.Sleep(time.Second) // checks in flight end
	})
}

// A server that the table refuses keeps no other server in service whose checks fail, and does not delay its removal.
func TestARefusedServerHoldsNoOther(t *testing.T) {
	for _, quiescent := range []string{"no", "yes"} {
		synctest.Test(t, func(t *testing.T) {
			s := newScenario(t)
			const refused = "-a -t 10.1.0.1:80 -r 10.2.0.3:80 -m -w 1 -y 5"
			s.client = &picky{recorder: s.table, refuses: refused}
			s.configs["one"] = "checkinterval = 20\nquiescent = " + quiescent + "\nvirtual = 10.1.0.1:80\n" +
				"\treal = 10.2.0.3:80 masq l:5\n\treal = 10.2.0.1:80 masq\n\treal = 10.2.0.2:80 masq\n" +
				"\tchecktype = connect\n"
			s.start("one", false)
			time.Sleep(90 * time.Second) // the table is asked again every 20 s
			s.set(servers[0], "down")
			for late, polls := 0, 0; late < 2; polls++ { // it is removed with the result of the check
				time.Sleep(500 * time.Millisecond)
				have, _ := s.table.Memory.Read(t.Context())
				var weight uint32
				for _, v := range have {
					weight += v.Dests.Weight(servers[0])
				}
				if weight == 0 {
					break
				}
				if snapshotOf(t, s.director).Virtuals[0].Servers[1].State == "down" {
					late++
				}
				if late == 2 || polls == 100 {
					t.Fatalf("quiescent=%s: the server is still in service", quiescent)
				}
			}
			have, _ := s.table.Memory.Read(t.Context())
			for key, v := range have {
				if v.Dests.Weight(servers[1]) != 1 {
					t.Errorf("quiescent=%s: %v has %v", quiescent, key, v.Dests)
				}
			}
			said := strings.Join(s.take(), "\n")
			if n := strings.Count(said, "refused: "); n > 20 {
				t.Errorf("quiescent=%s: %d tries in 110 s", quiescent, n)
			}
			s.stop(ErrHandover)
			time.Sleep(time.Second) // checks in flight end
		})
	}
}

// A batch without an answer is one failure in the log. Later the table is read and corrected.
func TestABatchWithoutAnAnswerIsToldOnce(t *testing.T) {
	hundred(t, func(t *testing.T, s *scenario, table *mute) {
		table.silent.Store(true)
		s.set(servers[1], "down")
		time.Sleep(time.Minute)
		if said := strings.Join(s.take(), "\n"); strings.Count(said, "Table change failed") != 1 {
			t.Errorf("the log has\n%s", said)
		}
		table.silent.Store(false)
		time.Sleep(judge.TableTimeout + judge.MaxPause)
		have, _ := table.Memory.Read(t.Context())
		for key, v := range have {
			if _, in := v.Dests.At(servers[1]); in {
				t.Errorf("%v still has the server that is down", key)
			}
		}
		if said := strings.Join(s.take(), "\n"); strings.Contains(said, "Changed externally") {
			t.Errorf("the log has\n%s", said)
		}
	})
}
