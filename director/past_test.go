package director

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"ldirectord/checker"
	"ldirectord/history"
)

// remembered is all that is remembered of the servers of a snapshot, a line each, in the order in which each began.
func remembered(now *Snapshot) (lines []string) {
	for _, v := range now.Virtuals {
		for _, s := range v.Servers {
			lines = append(lines, fmt.Sprintf("%s of %s: %s", s.Real, v.ID, s.State))
			if s.Past == nil {
				continue
			}
			from := len(lines)
			clock := func(m history.Moment) string { return m.Time().Format("15:04:05") }
			for _, r := range s.Past.Runs() {
				line := fmt.Sprintf("  %s-%s %d× %s %s %d/%d", clock(r.First), clock(r.Last), r.Times, r.Outcome, r.Text, r.Count, r.Needed)
				if len(s.CheckNames) > 1 || r.Check == history.Former {
					line += fmt.Sprintf(" by %q", s.CheckNames[r.Check])
				}
				lines = append(lines, line)
			}
			for _, d := range s.Past.Deeds() {
				lines = append(lines, fmt.Sprintf("  %s-%s %d× %s %d %s", clock(d.First), clock(d.Last), d.Times, d.Kind, d.Weight, d.Text))
			}
			slices.SortStableFunc(lines[from:], func(a, b string) int { return compareClock(a, b) })
		}
		for _, l := range v.Leaving {
			lines = append(lines, fmt.Sprintf("%s of %s: leaving", l.Name, v.ID))
		}
	}
	return lines
}

func compareClock(a, b string) int { return slices.Compare([]byte(a[:10]), []byte(b[:10])) }

// stall hands the director the result of a check that failed while this machine stood still, as the pool does.
func (s *scenario) stall(at netip.AddrPort) {
	d := s.director
	_ = d.submit(s.t.Context(), func(_ context.Context, done chan<- struct{}) {
		for task, c := range d.checks {
			if c.users[0].s.real.Addr == at {
				d.results([]checker.Update{{Task: task, Result: checker.Result{Cause: checker.Timeout, Detail: "no answer in 5s"}, Stalled: true}})
			}
		}
		close(done)
	})
}
