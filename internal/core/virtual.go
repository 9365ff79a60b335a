package core

import (
	"net/netip"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// virtual is one virtual service, with its plan, its state and the director's notes.
type virtual struct {
	judge.Case
	*plan.Service
	servers []*server // servers of the file, then servers that left it and stay, then servers that moved away
	all     []*server // by entry, including those that moved away and are no longer needed

	writing
	acts
	post

	weighed bool // its strength has been counted since it last changed
	few     bool // too few servers pass their checks to compare them

	addresses    []*announcement                 // the addresses that are announced for it
	moving       []judge.Record                  // by member, what was recorded of it; nil: nothing yet
	rules        map[netip.AddrPort]judge.RuleID // the rules that placed other destinations
	window       *window                         // nil: the table had no counters yet
	waitingSince time.Time                       // since when servers have no address; zero when all have one
}

// acts holds the notes on a virtual service that survive a reload.
type acts struct {
	reported reported
	*recent
	held   []*server      // servers that the guard holds; after a reload, the former plan's until the next decision
	full   bool           // all servers in service are full
	took   view.Durations // durations of its servers' checks
	stages view.StageTimes
}

// server is one real server or fallback server of a virtual service.
type server struct {
	*judge.Server
	entry *plan.Entry
	first judgement // the judgement by its first check, which has no task with checktype=off

	maintenance string        // the file that puts it into maintenance; "" for none
	order       *orders.Order // of the operator; nil, or without a kind: none

	steps    bool // its weight is changing in steps, which the log leaves out, see teller.op
	told     bool // mail was told whether it is down, see remind
	toldDown bool // and that it is

	notes
}

// notes holds what is known about a server apart from its checks. It survives a reload.
type notes struct {
	before  judge.Name // the previous state
	counted bool       // the table had the server when it was last read
	// its share of the section's new connections in percent, and the share that it should get; 0 if not known
	got, due uint8
	lasted   uint32         // how many seconds the previous state lasted
	carries  lvs.Counters   // its counters in the kernel
	limit    *limit         // nil: it never had one
	witness  *judge.Witness // nil: it was never observed
	tally    view.Tally
	past     history.History
	*recent  // nil: its state never changed, and no reported condition ever held
}

// virtualsOf makes the virtual services of a plan, in the order of the file.
func virtualsOf(p *plan.Plan) []*virtual {
	list, all := make([]*virtual, len(p.Services)), make([]virtual, len(p.Services)) // allocated at once
	left := roomFor(p.Services...)
	for i, s := range p.Services {
		list[i] = &all[i]
		left = list[i].enlist(s, left)
	}
	return list
}

// room is preallocated memory for servers and their states.
type room struct {
	servers []server
	states  []judge.Server
}

func roomFor(services ...*plan.Service) room {
	n := 0
	for _, s := range services {
		n += len(s.Entries)
	}
	return room{make([]server, n), make([]judge.Server, n)}
}

// enlist makes the servers of a virtual service, with empty states. It returns the remaining room.
func (v *virtual) enlist(s *plan.Service, in room) (left room) {
	servers, n := make([]*server, len(s.Entries)), len(s.Entries)
	for i := range servers {
		servers[i] = &in.servers[i]
	}
	v.seat(s, servers, in.states[:n])
	return room{in.servers[n:], in.states[n:]}
}

// seat gives the servers of a virtual service their entries and empty states.
func (v *virtual) seat(s *plan.Service, servers []*server, states []judge.Server) {
	now, n := s.Unknown(states), len(s.Section.Members)
	v.Service, v.Case.Section = s, &s.Section
	v.Servers, v.FallbackServers, v.Paths = now.Servers, now.FallbackServers, now.Paths
	v.all, v.servers = servers, servers[:n:n]
	for i, one := range servers {
		one.sit(s.Entries[i], &states[i])
	}
}

// sit gives a server its entry and its state, and a judgement for each of its checks.
func (s *server) sit(e *plan.Entry, state *judge.Server) {
	s.entry, s.Server = e, state
	j := &s.first
	for k, l := 0, &e.First; l != nil; k, l = k+1, l.Next {
		if k > 0 {
			j.next = &judgement{}
			j = j.next
		}
		j.k, j.Check = uint8(k), s.Check(k)
	}
}

// label and called return names of the virtual service for lines that the Perl ldirectord does not have.
func (v *virtual) label() string  { return view.Label(v.Config.ID, v.Config.ServiceName) }
func (v *virtual) called() string { return view.Label(v.Name(), v.Config.ServiceName) }

// label returns the name of a server in the log. If the address of its host name may change, the label gives the
// address too.
func (s *server) label() string {
	if s.Fallback {
		return "fallback server " + s.entry.Name()
	}
	if s.entry.Follows() {
		return s.entry.Name() + " at " + lvs.FormatAddr(s.entry.Real.Addr.Addr())
	}
	return s.entry.Name()
}

// serverAt returns the real server at an address of the table, or nil if there is none. If several share the address,
// it prefers one that is up.
func (v *virtual) serverAt(addr netip.AddrPort) *server {
	if s := v.At(addr); s != nil {
		return v.all[s.At]
	}
	return nil
}

// former is called for a virtual service of the former plan. It returns the real server that has the same address as
// the given server of the new plan, preferably one that also has the same names.
func (v *virtual) former(of *server) *server {
	at := v.serverAt(of.Dest.Addr)
	for one := range v.Sharing(of.Dest.Addr) {
		if v.all[one.At].entry.IsNamedAs(of.entry) {
			at = v.all[one.At]
		}
	}
	return at
}

// services holds the role, the teller, the virtual services of the plan in force, and those left over from former
// plans. All parts of the core share this struct.
type services struct {
	role
	tell     teller
	global   *parser.Global
	hold     orders.Book
	tls      checker.TLSSums
	virtuals []*virtual // in the order of the file
	ours     []*virtual // those that this director puts into the table
	purges   []*virtual // no longer configured, still in the table
	agenda   agenda
}

// minDrift replaces a shorter checkinterval in driftInterval.
const minDrift = time.Second

// watchedDrift, in seconds, replaces a longer checkinterval in driftInterval if servers are watched. Their
// checkinterval may be long.
const watchedDrift = 10

// driftInterval returns the time between two comparisons of the table. It is nine tenths of the shortest checkinterval,
// so that a removed entry is restored within one checkinterval. For its limits, see minDrift and watchedDrift.
func (all *services) driftInterval() time.Duration {
	interval := all.global.CheckInterval
	for _, v := range all.virtuals {
		interval = min(interval, v.Config.CheckInterval)
		if v.Config.Watch.On {
			interval = min(interval, watchedDrift)
		}
	}
	return max(interval.Duration(), minDrift) * 9 / 10
}

// those returns the virtual services for which holds returns true.
func those(virtuals []*virtual, holds func(*virtual) bool) (list []*virtual) {
	for _, v := range virtuals {
		if holds(v) {
			list = append(list, v)
		}
	}
	return list
}

func byKey(virtuals []*virtual) map[lvs.Key]*virtual {
	all := make(map[lvs.Key]*virtual, len(virtuals))
	for _, v := range virtuals {
		all[v.Key()] = v
	}
	return all
}

func keysOf(virtuals []*virtual) []lvs.Key {
	keys := make([]lvs.Key, len(virtuals))
	for i, v := range virtuals {
		keys[i] = v.Key()
	}
	return keys
}
