package judge

import (
	"net/netip"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// Record holds what the next daemon must know about a server that leaves, or whose weight or return to service depends
// on more than its checks. Fields that do not concern it are zero.
type Record struct {
	Key  lvs.Key
	Addr netip.AddrPort

	// For a server that leaves: it is removed when its connections have ended.
	Name  string    `json:",omitzero"` // address:port as configured
	Until time.Time `json:",omitzero"` // the latest time to remove it
	// it moved away, is in maintenance, and serves again when that ends; Until does not apply
	Stays bool `json:",omitzero"`

	// For any other server.
	Nth    uint32 `json:",omitzero"` // its place among the servers with this address
	Weight uint32 `json:",omitzero"` // in the table when it was recorded
	Of     uint32 `json:",omitzero"` // its Goal then
	Memory
	Reports Spoken `json:"Told,omitzero"`
}

// Goal returns the weight that a server has by order or in the file, to be recorded. While the table is unknown, it
// returns a weight that no server has, because any weight that the next daemon finds may have been written by this one.
func (s *State) Goal(one *Server) uint32 {
	if s.Have == nil {
		return ^uint32(0)
	}
	return one.Weight()
}

// Times returns all times of a record.
func (r *Record) Times() []*time.Time {
	return []*time.Time{&r.Until, &r.Climbs, &r.Failed, &r.FellFirst, &r.Turn}
}

// Spoken holds the reports of a server that apply, and its failing checks that only change the weight. It has room for
// the first four checks concerned. Each is identified by its line, or as the agent.
type Spoken [4]struct {
	Line  uint8
	Agent bool `json:",omitzero"` // whatever its line
	health.Words
}

// Spoken returns a server's reports, to be recorded for the next daemon.
func (s *Server) Spoken() (all Spoken) {
	n := 0
	for _, check := range s.Checks() {
		words := check.Telling.Words
		words.Down = check.Health.State == health.Down && (words.Down || check.Part > 0)
		if words != (health.Words{}) && n < len(all) {
			all[n].Line, all[n].Agent, all[n].Words = check.Line, check.Agent, words
			n++
		}
	}
	return all
}

// resume restores the reports of the server that applied when the previous daemon ended.
func (all *Spoken) resume(s *Server) {
	for _, check := range s.Checks() {
		for _, one := range all {
			mine := one.Agent == check.Agent && (one.Agent || one.Line == check.Line)
			if !mine || one.Words == (health.Words{}) {
				continue
			}
			check.Telling = health.Tells(one.Words)
			if one.Down {
				check.Health, check.Loss = health.Assume(health.Down), WrongAnswer
			}
		}
	}
	s.Hold(s.Entered)
}

// Resume is called when the daemon starts. It notes what was changing the server's weight when the previous daemon
// ended, and reports whether the weight in the table fits the record. It fits if it is between the recorded weight and
// the one that the server should have now. Weight 0 always fits, because the server is out. If Goal has changed since,
// any weight fits.
func (c *Section) Resume(s *Server, m Record, weight uint32, now time.Time) (fits bool) {
	m.Reports.resume(s)
	if s.Memory = m.Memory; weight == 0 || m.Climbs.After(now) {
		s.Climbs = time.Time{}
	}
	is := (&proposal{Case: Case{Section: c}, now: now}).weight(s)
	return weight == 0 || m.Of != s.Weight() || min(is, m.Weight) <= weight && weight <= max(is, m.Weight)
}
