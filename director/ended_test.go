package director

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/ipvsctl"
)

// endingTable is a table at whose first reading, or first change, the daemon is told to end.
type endingTable struct {
	*ipvsctl.Memory
	end      context.CancelFunc
	atChange bool
}

func (e *endingTable) Read(ctx context.Context) (ipvsctl.Table, error) {
	if !e.atChange {
		e.end()
	}
	return e.Memory.Read(ctx)
}

func (e *endingTable) Do(ctx context.Context, op ipvsctl.Op) error {
	e.end()
	return e.Memory.Do(ctx, op)
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
				err := New(Deps{Table: table, Journal: s.journal, Hooks: s}).Run(ctx, s.plan("one"))
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
