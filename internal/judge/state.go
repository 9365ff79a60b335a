package judge

import (
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
)

// State holds what the rules know about a virtual service, including the results of earlier decisions. It is plain
// data, see Clone. In the zero State, nothing is known.
type State struct {
	Servers         []Server    // one for each of the section's members
	FallbackServers []Server    // one for each fallback server
	Paths           []Path      // one for each line of checks; nil without checkvip
	Departing       []Departure // sorted by address
	Have            lvs.Dests   // what the table has, as read or written; nil: unknown
	// Last holds the last known contents of the table. It is set by a failed change or a reload, and nil after the
	// next write or if nothing is known. The slice is replaced, never changed in place.
	Last lvs.Dests
	// ByHand holds the destinations whose changes by hand are kept.
	ByHand map[netip.AddrPort]bool
	// Found holds the destinations that belonged to no known server when the table was first read while some
	// servers had no address; nil before that.
	Found map[netip.AddrPort]bool

	Lasting
	Claim

	Known  bool // Have is what this director wrote, with changes noted since
	Backed bool // the backup servers serve, because too few others do
	Starts bool // no server served when the table was first read, and not every one has been checked since
	Away   bool // its announced addresses were last found elsewhere than on the device of announce
}

// Lasting is the part of the state of a virtual service that survives a reload.
type Lasting struct {
	Back     time.Time // the start of the check that found the first server back; zero: none waits
	Strength Strength
	Removals Removals
	Cold     bool // with slowstart: too few served, and not every server has had a result since
	// Obeys means that, by an operator's order, checks may take out every server. The order ends when all servers
	// are up.
	Obeys          bool
	FallbackIn     bool // a fallback server is in service
	FallbackWanted bool // a fallback server should be in service, as last known
}

// Server is the state of one real server or fallback server.
type Server struct {
	*Member
	First Check   // the section's own check
	More  []Check // its other checks
	Memory

	Order     Order
	File      bool // a file puts it into maintenance
	Turned    bool // its state has changed since the table was written
	Held      bool // it fails or asks to be left out, but keepserving or paceout keeps it in service
	Entered   bool // the table had it with a weight when last written, and nothing has taken it out since
	Kept      bool // it was in service before a reload, and nothing has taken it out since
	Rerouted  bool // its change to gate waits until its connections have ended
	Connected bool // it had connections when they were last counted
	Gone      bool // it moved away and is no longer needed: no longer a member
	// Looks counts the looks in a row at which the server's clients seemed to get no answers while clients of
	// others did, up to three.
	Looks uint8

	Name  Name      // the name of its state in status and alerts
	Why   RuleID    // the rule that decided its place in the table
	Since time.Time // when the state began
	Until time.Time // it waits until then because of pace or paceout; zero: it does not
}

// Check is the state of one check of one server.
type Check struct {
	*Way    // with checkvip or announce; else nil
	Health  health.Health
	Telling health.Telling // what the server reports
	Loss    Loss           // the loss of the last failure
	Line    uint8          // its place among the section's checks
	// Part is the percentage of its weight that the server has while this check is down; 0 if the server is then
	// down.
	Part    uint8
	Pending bool // it has never ended
	Proven  bool // it passed since the start, or since a reload changed it
	Agent   bool // it asks an agent: nothing waits for its results
}

// Way is the state of the path that a check takes.
type Way struct {
	Passage
	Accused time.Time // since when its failures are not judged, see Path; zero: they are judged
	Tells   bool      // the next result may show whether the path through the virtual address works
	Awaited bool      // since the first server came back, it has neither passed nor failed for good
}

// Passage is the last result that counts for the server.
type Passage struct {
	Began  time.Time // when the check began
	OK     bool      // it passed
	Passed bool      // it passed through the virtual address
	Own    bool      // it failed through the virtual address, and passed at the server's own
}

// Departure is a server that drains: it left the section, its name has another address, or it is a backup server that
// is no longer needed.
type Departure struct {
	Addr  netip.AddrPort
	Name  string    // as it was configured; "" until that is noted
	Until time.Time // the latest time to remove it; zero: none
	Idle  bool      // it had no connections at the last look
	// a reload replaced all servers, and this one still serves; draintime begins afterwards
	Serves bool
	Over   Ending

	Carries lvs.Counters // its connections when they were last counted
}

// Ending tells why a departing server is removed.
type Ending uint8

// The endings. With Stays, the departing server continues to drain.
const (
	Stays   Ending = iota
	Drained        // its connections have ended
	Late           // draintime is over
)

// Name is the name of a server's state.
type Name uint8

// The names. A server is Nameless before its first decision.
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

// Strength records whether enough servers of a section are up, see minservers. Servers that are held, drained, in
// maintenance or without a weight, and backup servers that rest, do not count. With checktype=off, only servers that
// were added by hand count.
type Strength struct {
	Up     int // servers that count
	Needed int // how many of them are enough: LOW, or HIGH once there were fewer than LOW
	Enough bool
	Known  bool // every server has had its first result
	Serves bool // a real server, a fallback server or a found destination is in service
	Holds  bool // a held server is in service
}

// Clone returns a copy. Changes to the copy do not affect the original, and vice versa.
func (s *State) Clone() State {
	c := s.cloneServers()
	c.Have, c.FallbackServers = slices.Clone(s.Have), slices.Clone(s.FallbackServers)
	for i := range len(c.Servers) + len(c.FallbackServers) {
		one := c.entry(i)
		one.More = slices.Clone(one.More)
		for _, check := range one.Checks() {
			if check.Way != nil {
				check.Way = new(*check.Way)
			}
		}
	}
	c.Paths = slices.Clone(s.Paths)
	return c
}

// cloneServers returns a copy for a decision. A decision changes neither checks nor paths, so the copy may share them
// with the original.
func (s *State) cloneServers() State {
	c := *s
	c.Servers, c.Departing = slices.Clone(s.Servers), slices.Clone(s.Departing)
	c.ByHand, c.Found = maps.Clone(s.ByHand), maps.Clone(s.Found)
	return c
}

// Adopt takes over the state from a decision. Pointers to the servers remain valid.
func (s *State) Adopt(next State) {
	servers := s.Servers
	copy(servers, next.Servers)
	*s = next
	s.Servers = servers
}

// entry returns a server by its index. Fallback servers come after all others.
func (s *State) entry(i int) *Server {
	if i < len(s.Servers) {
		return &s.Servers[i]
	}
	return &s.FallbackServers[i-len(s.Servers)]
}

// Check returns one of a server's checks by its index.
func (s *Server) Check(k int) *Check {
	if k == 0 {
		return &s.First
	}
	return &s.More[k-1]
}

// Checks returns a server's checks.
func (s *Server) Checks() iter.Seq2[int, *Check] {
	return func(yield func(int, *Check) bool) {
		for k := range 1 + len(s.More) {
			if !yield(k, s.Check(k)) {
				return
			}
		}
	}
}

// Removals counts, for paceout, the servers that checks have taken out since a given time.
type Removals struct {
	Since time.Time
	N     int
}
