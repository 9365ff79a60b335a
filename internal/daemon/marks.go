package daemon

import (
	"context"
	"slices"
	"time"

	"ldirectord/internal/fwmark"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/runfile"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// markInterval is the time between two looks at the mark rules of other programs. It is long because each look runs
// commands.
const markInterval = time.Minute

// markTimeout is the total time limit for the commands that list mark rules.
const markTimeout = 20 * time.Second

// watchMarks watches the marks for which the file in force has no mark lines, until ctx is done. It reports when no
// rule sets one of them, as after a restart of the firewall.
func (f *configFile) watchMarks(ctx context.Context) {
	left := slices.DeleteFunc(slices.Clone(f.current.Config.Virtuals), func(v *parser.Virtual) bool {
		return v.Protocol != lvs.Mark || len(v.Marking) > 0
	})
	if len(left) == 0 || !f.d.Table.Machine {
		return
	}
	go func() {
		unset := map[string]bool{}
		for open := true; open; open = runfile.Pause(ctx, markInterval) {
			f.d.lookAtMarks(ctx, left, unset)
		}
	}()
}

// lookAtMarks reports the marks that no rule sets, and those that are set again, if this has changed since the last
// look that could read all rules. Before the first look, all marks count as set.
func (c *channels) lookAtMarks(ctx context.Context, virtuals []*parser.Virtual, unset map[string]bool) {
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	m := fwmark.Inspect(ctx)
	if ctx.Err() != nil || len(m.Unread) > 0 {
		return
	}
	for _, v := range virtuals {
		was, is := unset[v.ID], m.NothingSets(v.Mark, v.IPv6)
		unset[v.ID] = is
		text := "Nothing sets mark %d on this machine: %s gets no packets"
		if !is {
			text = "Mark %d is set again: %s"
		}
		if is != was {
			e := notify.Event{Virtual: v.ID}
			e.Say(notify.MarkRules, text, v.Mark, view.Label(v.ID, v.ServiceName))
			c.journal.Emit(e)
		}
	}
}
