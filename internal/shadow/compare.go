package shadow

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// place is a destination of a virtual service or, if addr is not valid, the service itself.
type place struct {
	key  lvs.Key
	addr netip.AddrPort
}

// serves reports whether the destination is in service in a table.
func (p place) serves(t lvs.Table) bool { return t[p.key].Dests.Weight(p.addr) > 0 }

// value returns a table's entry at this place, in the notation of ipvsadm.
func (p place) value(t lvs.Table) string {
	service := t[p.key]
	if !p.addr.IsValid() {
		return strings.TrimPrefix(service.String(), p.key.String()+" ")
	}
	if dest, in := service.Dests.At(p.addr); in {
		return strings.TrimPrefix(dest.String(), "-r "+p.addr.String()+" ")
	}
	return "not there"
}

// Side is one of the two tables that are compared.
type Side string

// The two sides.
const (
	Live   Side = "live"
	Shadow Side = "shadow"
)

// changes returns the places at which two tables differ. It leaves out services that only one of the tables has.
func changes(from, to lvs.Table) map[place]bool {
	places := map[place]bool{}
	for key, service := range to {
		if old, there := from[key]; there {
			for _, op := range lvs.DiffService(old, service) {
				places[place{key, op.Dest.Addr}] = true
			}
		}
	}
	return places
}

// compare records how the tables differ now, and reports differences that have lasted too long.
func (s *shadow) compare(ctx context.Context, now pair) {
	differ, live, ours := changes(now.live, now.ours), changes(s.was.live, now.live), changes(s.was.ours, now.ours)
	for p := range live {
		if was := p.serves(s.was.live); ours[p] && !differ[p] && s.open[p] == nil && !s.fallback[p] &&
			was != p.serves(now.live) {
			s.report.count(was).Together++
		}
	}
	for p, d := range s.open {
		if !differ[p] {
			s.close(p, d, live[p], ours[p], now)
			delete(s.open, p)
		}
	}
	for p := range differ {
		s.note(p, live[p], ours[p], now)
	}
	s.was = now
	if len(s.open) > 0 {
		s.tellLasting(ctx)
	}
}

// note records that the tables differ at a place. If either table has changed there since it was last noted, the time
// starts anew.
func (s *shadow) note(p place, live, ours bool, now pair) {
	d := &Difference{Since: time.Now(), Virtual: p.key.ID(), Live: p.value(now.live), Shadow: p.value(now.ours)}
	if was := s.open[p]; was != nil && was.Live == d.Live && was.Shadow == d.Shadow {
		return
	}
	if p.addr.IsValid() {
		d.Real = p.addr.String()
	}
	switch {
	case live && !ours:
		d.First = Live
	case ours && !live:
		d.First = Shadow
	}
	s.open[p] = d
}

// close ends a difference. Either the other side has followed, or the first one has returned to its former state.
func (s *shadow) close(p place, d *Difference, live, ours bool, now pair) {
	if now.live[p.key].Key != now.ours[p.key].Key {
		return // the place is no longer compared
	}
	lasted := time.Since(d.Since).Round(readInterval)
	if d.Lasting {
		s.Say(fmt.Sprintf("No longer different: %s, after %v", d.name(), lasted))
	}
	second, followed := s.was.live, live
	if d.First == Live {
		second, followed = s.was.ours, ours
	}
	if served := p.serves(second); d.First != "" && followed && !s.fallback[p] && served != p.serves(now.live) {
		s.report.count(served).lead(d.First, lasted)
	}
}

// tellLasting reports differences that have lasted longer than the times in the file can explain.
func (s *shadow) tellLasting(ctx context.Context) {
	known, err := s.director.Snapshot(ctx)
	if err != nil {
		return // the shadow ends
	}
	explained := s.explain(known)
	for p, d := range s.open {
		d.Lasted = time.Since(d.Since).Seconds()
		if d.Lasting || d.Lasted <= explained[p.key].Seconds() {
			continue
		}
		d.Lasting, d.Reason = true, reason(p, known)
		s.report.Lasting++
		if len(s.report.Differences) < maxDifferences {
			s.report.Differences = append(s.report.Differences, d)
		}
		s.Say("Different " + d.String())
	}
}

// slack is added because the tables are read only once a second, and because changes may be in progress.
const slack = 3 * time.Second

// explain computes, for each virtual service, how long a difference may last according to the times in the file:
// slowstart, holddown, and a round for each result that the thresholds require. A round takes the interval, the
// timeouts of the service's checks and, because a daemon may check servers one after another, like the Perl ldirectord,
// the time of all checks. A followed check is assumed to take its timeout, because only the live daemon makes it.
func (s *shadow) explain(now *view.Snapshot) map[lvs.Key]time.Duration {
	all := s.unmade
	for _, v := range now.Virtuals {
		for _, server := range v.Servers {
			all += server.Last.Took
		}
	}
	explained := map[lvs.Key]time.Duration{}
	for _, v := range s.Plan.Services {
		c := v.Config
		round := all + max(c.CheckInterval, s.Plan.Config.Global.CheckInterval).Duration()
		for _, check := range c.Checks() {
			round += max(check.CheckTimeout*parser.Seconds(max(check.CheckCount, 1)),
				check.NegotiateTimeout).Duration()
		}
		explained[v.Key()] = time.Duration(max(c.FailureCount, c.RiseCount, c.Window.Of, 1))*round + slack +
			c.SlowStart + c.HoldDown.Most
	}
	return explained
}

// reason explains the entry of the shadow's table at a place.
func reason(p place, now *view.Snapshot) string {
	for _, v := range now.Virtuals {
		if v.Key != p.key {
			continue
		}
		for _, server := range v.Servers {
			if server.Addr == p.addr {
				return strings.TrimSuffix(server.State+": "+
					cmp.Or(server.Reason, server.Unjudged, server.Last.Detail), ": ")
			}
		}
		if p.addr.IsValid() && v.ServingFallback() != nil {
			return "no server is up"
		}
	}
	return "as in the file"
}
