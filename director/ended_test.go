package director

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/core"
	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
)

// endingTable is a table whose first reading, or first change, ends the daemon.
type endingTable struct {
	*ipvsctl.Memory
	end      context.CancelFunc
	atChange bool
}

func (e *endingTable) Read(ctx context.Context) (lvs.Table, error) {
	if !e.atChange {
		e.end()
	}
	return e.Memory.Read(ctx)
}

func (e *endingTable) Do(ctx context.Context, ops ...lvs.Op) []error {
	e.end()
	return e.Memory.Do(ctx, ops...)
}

func TestAnEndDuringTheStartIsNoFailure(t *testing.T) {
	for name, atChange := range map[string]bool{"while the table is read": false, "while it is changed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScenario(t)
				s.configs["one"] = "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
				ctx, end := context.WithCancel(t.Context())
				table := &endingTable{s.table.Memory, end, atChange}
				s.journal = s.newJournal()
				err := New(Deps{Table: table, World: core.World{Tell: s.receivers()}}).Run(ctx, s.plan("one"))
				if err != nil {
					t.Error(err)
				}
				if err := s.journal.Close(context.Background()); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second) // checks in flight end
				for _, said := range s.take() {
					if strings.Contains(said, "failed") || strings.Contains(said, "can't") {
						t.Errorf("the log says %q", said)
					}
				}
			})
		})
	}
}

// hangingTable makes no change, and hangingMarks sets no rules, until the caller gives up.
type hangingTable struct{ *ipvsctl.Memory }

func (hangingTable) Do(ctx context.Context, ops ...lvs.Op) []error {
	<-ctx.Done()
	return slices.Repeat([]error{ctx.Err()}, len(ops))
}

type hangingMarks struct{}

func (hangingMarks) Sync(ctx context.Context, _ []lvs.MarkRule) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// The end takes at most the pool's time and stopTimeout, whatever hangs. The timeout of the command stop depends on
// that.
func TestTheEndIsBoundedWhateverHangs(t *testing.T) {
	const config = `virtual = 1
	protocol = fwm
	mark = 10.1.0.1 tcp 80
	real = 10.2.0.1:80 gate
	checktype = on
virtual = 10.1.0.2:80
	real = 10.2.0.1:80 gate
	checktype = on
`
	for name, cause := range map[string]error{"stop": context.Canceled, "handover": ErrHandover} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScenario(t)
				s.configs["one"] = config
				ctx, end := context.WithCancelCause(t.Context())
				s.journal = s.newJournal()
				ended := make(chan error, 1)
				go func() {
					ended <- New(Deps{Table: hangingTable{s.table.Memory}, Marks: hangingMarks{}, World: core.World{Tell: s.receivers()}}).Run(ctx, s.plan("one"))
				}()
				time.Sleep(2*judge.TableTimeout + marksTimeout + time.Second) // all requests hang again
				begun := time.Now()
				end(cause)
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if took := time.Since(begun); took > stopTimeout+3*time.Second {
					t.Errorf("the end took %v", took)
				}
				if err := s.journal.Close(context.Background()); err != nil {
					t.Error(err)
				}
				time.Sleep(marksTimeout + time.Second)
			})
		})
	}
}
