package director

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// hangingMarks set no rules until the caller gives up.
type hangingMarks struct{}

func (hangingMarks) Sync(ctx context.Context, _ []lvs.MarkRule) ([]string, error) {
	return nil, hangs(ctx)
}

// The end takes at most the pool's time and stopTimeout, whatever hangs. The timeout of the command stop depends on
// that.
func TestTheEndIsBoundedWhateverHangs(t *testing.T) {
	for name, cause := range map[string]error{"stop": context.Canceled, "handover": ErrHandover} {
		synctest.Test(t, func(t *testing.T) {
			s := newScenario(t)
			s.configs["one"] = "virtual = 1\n\tmark = 10.1.0.1 tcp 80\n\treal = 10.2.0.1:80 gate\n" +
				"\tchecktype = on\n" +
				"virtual = 10.1.0.2:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n"
			ctx, end := context.WithCancelCause(t.Context())
			ended := make(chan error, 1)
			d := New(Deps{Table: &slowTable{s.table.Memory, hangs}, Marks: hangingMarks{},
				World: core.World{}})
			go func() { ended <- d.Run(ctx, s.plan("one")) }()
			time.Sleep(2*judge.TableTimeout + marksTimeout + time.Second) // all requests hang again
			begun := time.Now()
			end(cause)
			testkit.OK(t, <-ended)
			if took := time.Since(begun); took > stopTimeout+3*time.Second {
				t.Errorf("%s: the end took %v", name, took)
			}
			time.Sleep(marksTimeout + time.Second)
		})
	}
}

// deafMarks set rules once. Then they hang, whatever the caller does.
type deafMarks struct{ once bool }

func (m *deafMarks) Sync(context.Context, []lvs.MarkRule) ([]string, error) {
	if m.once {
		time.Sleep(time.Hour)
	}
	m.once = true
	return nil, nil
}

func TestTheEndWaitsForNoProgramThatCanNotBeKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = "virtual = 1\n\tmark = 10.1.0.1 tcp 80\n\treal = 10.2.0.1 gate\n\tchecktype = on\n"
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		d := New(Deps{Table: s.table.Memory, Marks: &deafMarks{}, World: core.World{}})
		go func() { ended <- d.Run(ctx, s.plan("one")) }()
		time.Sleep(time.Second)
		begun := time.Now()
		end()
		testkit.OK(t, <-ended)
		testkit.Equal(t, time.Since(begun), stopTimeout)
		time.Sleep(time.Hour)
	})
}

func TestMarkRulesHaveMoreTimeTheMoreTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Deps{Marks: hangingMarks{}})
		for rules, want := range map[int]time.Duration{0: 15 * time.Second, 500: 25 * time.Second} {
			begin := time.Now()
			d.setRules(t.Context(), make([]lvs.MarkRule, rules))
			testkit.Equal(t, time.Since(begin), want, rules, "rules had")
		}
	})
}

// Without addresses the kernel isn't asked to report changes of devices.
func TestOnlyAddressesAreFollowed(t *testing.T) {
	d := New(Deps{Announcer: newDevices(nil)})
	for _, follow := range []bool{false, true} {
		if d.carryOut(t.Context(), core.Effects{Follow: follow}); (d.changes != nil) != follow {
			t.Errorf("with addresses %t: changes of devices are reported %t", follow, !follow)
		}
	}
}
