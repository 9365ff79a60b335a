package director

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/history"
	"ldirectord/internal/schedule"
	"ldirectord/internal/view"
)

// remembered is the history of the servers of a snapshot, one line for each record, ordered by its start.
func remembered(now *view.Snapshot) (lines []string) {
	for _, v := range now.Virtuals {
		servers := v.Servers
		if f := v.Fallback; f != nil && f.Asked != nil {
			lines = append(lines, "fallback since "+f.Asked.Since.UTC().Format("15:04:05"))
			servers = append(slices.Clip(servers), *f.Asked)
		}
		for _, s := range servers {
			lines = append(lines, fmt.Sprintf("%s of %s: %s", s.Real, v.ID, s.State))
			if s.Parts != "" {
				lines = append(lines, "  "+s.Parts)
			}
			if s.Held || s.WaitsFor != "" || s.Rule == "onfail" || strings.Contains(s.Note, "not watched") {
				lines = append(lines, "  "+s.Rule+": "+s.Note)
			}
			if s.Past == nil {
				continue
			}
			from := len(lines)
			clock := func(m history.Moment) string { return m.Time().Format("15:04:05") }
			for _, r := range s.Past.Records() {
				line := fmt.Sprintf("  %s-%s %d× %s ", clock(r.First), clock(r.Last), r.Times, r.Kind)
				if r.Check == history.None {
					line += fmt.Sprintf("%d %s", r.Weight, r.Text)
				} else {
					line += fmt.Sprintf("%s %d/%d", r.Text, r.Count, r.Needed)
				}
				if r.Check != history.None && (len(s.CheckNames) > 1 || r.Check == history.Former) {
					line += fmt.Sprintf(" by %q", s.CheckNames[r.Check])
				}
				lines = append(lines, line)
			}
			byClock := func(a, b string) int { return strings.Compare(a[:10], b[:10]) }
			slices.SortStableFunc(lines[from:], byClock)
		}
		for _, l := range v.Leaving {
			lines = append(lines, fmt.Sprintf("%s of %s: leaving, serves: %t", l.Real, v.ID, l.Serves))
		}
	}
	return lines
}

// stall gives the director the result of a check that failed while this machine stood still, as the pool does.
func (s *scenario) stall(at netip.AddrPort) {
	d := s.director
	_ = d.asked.submit(s.t.Context(), func(done chan<- struct{}) {
		for _, service := range s.current.Services {
			for _, e := range service.Entries {
				if e.Real.Addr == at {
					d.core.Results(time.Now(), []schedule.Update{{Task: e.First.Task, Stalled: true,
						Result: checker.Result{Cause: checker.Timeout,
							Detail: "no answer in 5s"}}})
				}
			}
		}
		close(done)
	})
}
