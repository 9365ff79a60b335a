package director

import (
	"net/netip"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/history"
	"ldirectord/ipvsctl"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/orders"
	"ldirectord/parser"
)

// virtual is one virtual service: what is configured, what is known of it, and what the director does about it.
type virtual struct {
	judge.Case
	cfg      *parser.Virtual
	name     string // in the log: address:port, or the mark
	key      lvs.Key
	settings ipvsctl.Settings
	servers  []*server // those of the file, then those that stay without it, then those that moved away
	members  []*server // as judge knows them: servers, and those that moved away and are done
	earlier  []*server // of a plan: where its servers may have moved from
	owner    string    // the other daemon that has it in the table, see assign; "": it is ours
	told     told

	writing

	leftBehind bool // cleanstop = no left it in the table of a director on standby
	weighed    bool // its strength, since something changed

	took   Durations // of the checks of its servers
	stages StageTimes

	addresses    announced                       // that are announced for it
	holds        int                             // how many servers are held
	rules        map[netip.AddrPort]judge.RuleID // that decided the places of others
	waitingSince time.Time                       // servers have no address; zero when all have one
}

// server is one real server of a virtual service.
type server struct {
	judge.Member
	*judge.Server
	real  *parser.Real
	moved *server   // the server at the new address of the name that this one had; nil: this one is of the file
	first judgement // of its check; without a task with checktype=off: never in

	maintenance string        // the file that takes it out, "" for none
	order       *orders.Order // of the operator; nil, or without a kind: none

	lasted time.Duration // how long the state before lasted
	before judge.Name    // the state before the present one
	stays  bool          // it has left the file, see parser.Virtual.Staying
	rule   judge.RuleID  // that decided its place last

	counted bool         // the table had the server when it was read the last time
	carries lvs.Counters // the kernel's counters of it
	tally   Tally
	past    history.History
}

// sectionOf is what judge needs of a section.
func sectionOf(cfg *parser.Virtual, readd bool) *judge.Section {
	s := &judge.Section{
		Rule: health.Rule{Fall: cfg.FailureCount, Rise: cfg.RiseCount, Need: cfg.Window.Need,
			Of: cfg.Window.Of},
		Policy: cfg.Policy, Announce: cfg.Announce != "", DrainTime: cfg.DrainTime.Duration(), Readd: readd,
	}
	if cfg.Fallback != nil {
		s.Fallback = destOf(cfg, cfg.Fallback.Addr, cfg.Fallback.Forward, cfg.Fallback.Weight)
		s.NoFallback = cfg.CheckType == parser.Off && !cfg.OwnFallback
	}
	for i := range cfg.Waiting {
		s.Waiting = append(s.Waiting, uint32(cfg.Waiting[i].Weight))
	}
	return s
}

// enlist makes the servers the members of the section, of which nothing is known.
func (v *virtual) enlist() {
	v.members, v.Members = v.servers, make([]*judge.Member, len(v.servers))
	v.Servers = make([]judge.Server, len(v.servers))
	for i, s := range v.servers {
		v.Members[i], s.Server = &s.Member, &v.Servers[i]
		s.Server.Member, s.At = &s.Member, int32(i)
		if s.Unchecked, s.MovedTo = s.first.task == nil, -1; s.moved != nil {
			s.MovedTo = s.moved.At
		}
		more := 0
		for j := s.first.next; j != nil; j = j.next {
			more++
		}
		s.More = make([]judge.Check, more)
		for k, j := 0, &s.first; j != nil; k, j = k+1, j.next {
			j.k, j.Check = uint8(k), s.Check(k)
			if j.Line = j.number; len(v.Brakes) > 0 || v.Announce {
				j.Way = new(judge.Way)
			}
		}
	}
	v.Index()
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

// at are the servers at an address of the table, in the order of the file: one, or several that share the entry.
func (v *virtual) at(addr netip.AddrPort) (all []*server) {
	for _, i := range v.AllAt(addr) {
		if s := v.members[i]; !s.Gone {
			all = append(all, s)
		}
	}
	return all
}

// serverAt is the real server at an address of the table, the one that is up if several share it; nil for none.
func (v *virtual) serverAt(addr netip.AddrPort) *server {
	if s := v.At(addr); s != nil {
		return v.members[s.At]
	}
	return nil
}

// services are the virtual services of the plan in force, and those that are left of former plans; whether they are
// served, and what tells of them. All who need them share them.
type services struct {
	role
	tell     teller
	global   *parser.Global
	tls      checker.TLSSums
	virtuals []*virtual // in the order of the file
	ours     []*virtual // of these, those that belong in the table
	purges   []*virtual // no longer configured, still in the table
}

// driftInterval is the smallest checkinterval, less a tenth, so that what vanished is back within one interval.
func (all *services) driftInterval() time.Duration {
	interval := all.global.CheckInterval
	for _, v := range all.virtuals {
		interval = min(interval, v.cfg.CheckInterval)
	}
	return max(interval.Duration(), minDrift) * 9 / 10
}

func byKey(virtuals []*virtual) map[lvs.Key]*virtual {
	all := make(map[lvs.Key]*virtual, len(virtuals))
	for _, v := range virtuals {
		all[v.key] = v
	}
	return all
}
