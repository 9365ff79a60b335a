package director

import (
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker/health"
	"ldirectord/history"
	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/parser"
)

// virtual is one virtual service: what is configured, and what the director knows of it.
type virtual struct {
	cfg          *parser.Virtual
	name         string // in the log: address:port, or the mark
	key          lvs.Key
	settings     ipvsctl.Settings
	servers      []*server // those of the file, then those that stay without it, then those that moved away
	earlier      []*server // of a plan: where its servers may have moved from
	byAddr       []*server // the servers in the order of their addresses in the table; nil: see at
	fallback     *lvs.Dest // nil: none
	fallbackName string    // in the log, with the configured port
	owner        string    // who else has it in the table, see assign; "": it is ours

	written *ipvsctl.Compact // as last written to the table; nil where that is not known
	// destinations that somebody else changed; kept until their next transition or a reload; nil: none
	overridden map[netip.AddrPort]bool
	fallbackIn bool // the fallback server serves
	told       told

	fallbackWanted bool // the fallback server was to serve when that was last known

	leavers map[netip.AddrPort]*leaver // who left the servers and drains, by the address in the table; nil: none

	leftBehind       bool // cleanstop = no left it in the table of a director on standby
	dirty            bool
	placed           bool          // the table has it, as far as is known
	retry            time.Time     // not before this; zero when the last time went well
	backoff          time.Duration // the next wait
	settingsRejected bool          // the table refuses the settings, and nothing else
	refused          string        // why the table refused the last change; "" when it did not

	took   Durations // of the checks of its servers
	stages StageTimes

	brakes    []brake // of its checks, by their numbers; nil without checkvip
	strength  strength
	weighed   bool            // … since something changed
	back      time.Time       // while servers that are back wait for others: when the check of the first began
	addresses []*announcement // that are announced for it

	obeys bool // by the operator's order checks may take out every server
	holds int  // how many servers are held

	// destinations of the table at its first reading that are of no known server, while servers have no address;
	// nil before
	found        map[netip.AddrPort]bool
	waitingSince time.Time // servers have no address; zero when all have one
}

// server is one real server of a virtual service.
type server struct {
	real  *parser.Real
	dest  lvs.Dest  // as configured
	moved *server   // the server at the new address of the name that this one had; nil: this one is of the file
	stays bool      // it has left the file, see parser.Virtual.Staying
	first judgement // of its check; without a task with checktype=off: never in

	maintenance  string // the file that takes it out, "" for none
	order        *Order // of the operator; nil, or without a kind: none
	transitioned bool   // changed its state since the last sync
	held         bool   // down, and in service all the same: see guard
	entered      bool   // it has a weight in the table, and nothing said since that it must not
	rerouted     bool   // by another way than gate, until its connections have ended
	kept         bool   // in service since before it was unknown

	shown  string    // the state as others see it …
	since  time.Time // … and since when
	before string    // the state before that …
	lasted time.Duration
	tally  Tally
	past   history.History

	carries ipvsctl.Counters // when the table was read the last time …
	counted bool             // … if it had the server and counts
}

// label, called and labelOf are how lines that the Perl ldirectord has not call the virtual service, by its id or its
// name, and one of its servers.
func (v *virtual) label() string            { return Label(v.cfg.ID, v.cfg.ServiceName) }
func (v *virtual) called() string           { return Label(v.name, v.cfg.ServiceName) }
func (v *virtual) labelOf(s *server) string { return s.label() + " (" + v.label() + ")" }

// name is how orders, the status and metrics call a server.
func (s *server) name() string {
	name, _ := s.names()
	return name
}

// label is how the log calls a server: by its name, with the address beside it.
func (s *server) label() string {
	if s.followed() {
		return s.name() + " at " + lvs.FormatAddr(s.real.Addr.Addr())
	}
	return s.name()
}

// followed reports whether the address of the server may change while the daemon runs.
func (s *server) followed() bool { return s.real.Named != nil && s.real.Named.Followed }

// rule is by which results a server of the virtual service is up or down.
func (v *virtual) rule() health.Rule {
	return health.Rule{Fall: v.cfg.FailureCount, Rise: v.cfg.RiseCount, Need: v.cfg.Window.Need,
		Of: v.cfg.Window.Of}
}

// state is what the table is made from: a server in maintenance is down, whatever its checks say, and one that is held
// is up.
func (s *server) state() health.State {
	if s.first.task == nil {
		return offState
	}
	if s.suspended() != "" {
		return health.Down
	}
	if s.held {
		return health.Up
	}
	return s.verdict()
}

// draining reports whether a server that could serve is drained instead.
func (s *server) draining() bool {
	return s.drained() && (s.state() == health.Up || s.state() == health.Unknown)
}

// offState is neither up, down nor unknown: the server is simply not there.
const offState health.State = 255

// available reports whether a virtual service has a server that is up, and whether that is known yet.
func (v *virtual) available() (up, known bool) {
	switch {
	case v.foundServes():
		return true, true
	case v.gathers():
		return false, false
	}
	known = true
	for _, s := range v.servers {
		if s.draining() {
			continue
		}
		switch s.state() {
		case health.Up:
			return true, true
		case health.Unknown:
			known = false
		}
	}
	return false, known
}

// at are the servers at an address of the table, in the order of the file: one, or several that share the entry.
func (v *virtual) at(addr netip.AddrPort) []*server {
	if v.byAddr == nil {
		v.byAddr = slices.Clone(v.servers)
		slices.SortStableFunc(v.byAddr, func(a, b *server) int { return a.dest.Addr.Compare(b.dest.Addr) })
	}
	first, _ := slices.BinarySearchFunc(v.byAddr, addr,
		func(s *server, a netip.AddrPort) int { return s.dest.Addr.Compare(a) })
	end := first
	for end < len(v.byAddr) && v.byAddr[end].dest.Addr == addr {
		end++
	}
	return v.byAddr[first:end]
}

// serverAt is the real server at an address of the table, the one that is up if several share it.
func (v *virtual) serverAt(addr netip.AddrPort) *server {
	var found *server
	for _, s := range v.at(addr) {
		if found == nil || s.state() == health.Up {
			found = s
		}
	}
	return found
}
