package judge

import (
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// State is what is known of a virtual service, and what former decisions left. It is a value: Clone it, change it,
// compare it. The zero State knows nothing.
type State struct {
	Servers []Server  // of the section's members
	Brakes  []Brake   // of its lines of checks; nil without checkvip
	Back    time.Time // while servers that are back wait for others: when the check of the first began
	Leavers []Leaver  // servers that left the file and drain
	Have    lvs.Dests // the table, as it is to be changed
	// ByHand are destinations that were changed by hand, which are kept.
	ByHand map[netip.AddrPort]bool
	// Found are destinations of no known server, from the first reading of a table while servers have no address;
	// nil before.
	Found    map[netip.AddrPort]bool
	Strength Strength

	Known  bool // Have is as this director wrote it, or noted it since
	Theirs bool // another director has it in the table
	// Obeys: by the operator's order checks may take out every server, until all are up.
	Obeys          bool
	Away           bool // it is announced, and its addresses are elsewhere
	FallbackIn     bool // the fallback server serves
	FallbackWanted bool // it was to serve when that was last known
}

// Server is what is known of one real server.
type Server struct {
	*Member
	First Check   // of its check
	More  []Check // of its other checks

	Order     Order
	File      bool // a file takes it out for maintenance
	Turned    bool // it changed its state since the table was written
	Held      bool // down, and in service all the same: see keepserving
	Entered   bool // it has a weight in the table, and nothing said since that it must not
	Kept      bool // in service since before it was unknown
	Rerouted  bool // by another way than gate, until its connections have ended
	Connected bool // it had connections when they were last counted
	Gone      bool // it moved away, and is done: as if it were no member

	Name  Name      // of its state, as others see it
	Since time.Time // when that state began
}

// Check is what the results of one check say of one server.
type Check struct {
	*Way    // with checkvip or announce; else nil
	Health  health.Health
	Loss    Loss  // by the last failure
	Line    uint8 // of the section's checks it is this one
	Pending bool  // it had no result yet
}

// Way is what is known of the way by which a check goes.
type Way struct {
	Passage
	Accused time.Time // since when its failures are not judged, see Brake; zero: they are
	Tells   bool      // the next one may show whether the way through the virtual address is fine
	Awaited bool      // since servers are back it has not passed, nor failed for good
}

// Passage is how the last check went that says something of its server.
type Passage struct {
	Began  time.Time // the check
	OK     bool      // it passed
	Passed bool      // it passed through the virtual address
	Own    bool      // it failed, and passed at the server's own address
}

// Leaver is a server that left its section and drains.
type Leaver struct {
	Addr  netip.AddrPort
	Name  string    // as it was configured; "" until that is noted
	Until time.Time // it goes then at the latest
	Idle  bool      // when it was last looked, it carried nothing
	Over  Ending

	Carries lvs.Counters // when it was last looked, where that was known
}

// Ending is why a leaver goes.
type Ending uint8

// The endings. A leaver that Stays drains on.
const (
	Stays   Ending = iota
	Drained        // its connections have ended
	Late           // draintime is over
)

// Name is the name of a server's state.
type Name uint8

// The names. A server has none before the first decision.
const (
	Nameless Name = iota
	Unknown
	Up
	Down
	Draining
	Maintenance
	Off
)

func (n Name) String() string {
	return [...]string{"", "unknown", "up", "down", "drained", "maintenance", "off"}[n]
}

// Strength is whether enough servers of a section are up, see minservers. A server that is held, drained, in
// maintenance or without a weight does not count. With checktype=off those count that were put into the table by
// hand.
type Strength struct {
	Up     int // servers that count
	Needed int // how many of them are enough: LOW, or HIGH once there were fewer
	Enough bool
	Known  bool // every server had its first result
	Serves bool // a server is up or held, or the fallback server is in
	Holds  bool // a server is held
}

// Clone is a copy that shares nothing.
func (s *State) Clone() State {
	c := s.cloneServers()
	c.Have = slices.Clone(s.Have)
	for i := range c.Servers {
		one := &c.Servers[i]
		one.More = slices.Clone(one.More)
		for _, check := range one.Checks() {
			if check.Way != nil {
				check.Way = new(*check.Way)
			}
		}
	}
	c.Brakes = slices.Clone(s.Brakes)
	return c
}

// cloneServers is a copy for a decision, which changes no check and no brake.
func (s *State) cloneServers() State {
	c := *s
	c.Servers, c.Leavers = slices.Clone(s.Servers), slices.Clone(s.Leavers)
	c.ByHand, c.Found = maps.Clone(s.ByHand), maps.Clone(s.Found)
	return c
}

// Adopt makes the state what a decision made of it. The servers stay where they are.
func (s *State) Adopt(next State) {
	servers := s.Servers
	copy(servers, next.Servers)
	*s = next
	s.Servers = servers
}

// Check is one of a server's checks, by its place among them.
func (s *Server) Check(k int) *Check {
	if k == 0 {
		return &s.First
	}
	return &s.More[k-1]
}

// Checks are a server's checks.
func (s *Server) Checks() iter.Seq2[int, *Check] {
	return func(yield func(int, *Check) bool) {
		for k := range 1 + len(s.More) {
			if !yield(k, s.Check(k)) {
				return
			}
		}
	}
}
