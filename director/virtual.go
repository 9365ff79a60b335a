package director

import (
	"net/netip"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/history"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/orders"
	"ldirectord/parser"
	"ldirectord/view"
)

// virtual is one virtual service: its configuration, its state, and the director's notes.
type virtual struct {
	judge.Case
	cfg      *parser.Virtual
	name     string // in the log: address:port, or the mark
	key      lvs.Key
	settings lvs.Settings
	servers  []*server // servers of the file, then servers that left it and stay, then servers that moved away
	members  []*server // the servers in judge's order, including those that moved away and are no longer needed
	earlier  []*server // former addresses of its servers, in a plan

	fallbackServers []*server
	fallbackCheck   *parser.Virtual // the section as they are checked; nil: they are not

	owner  string // the other daemon that has it in the table, see assign; "": it is ours
	beside string // the daemon that waits for it, or changes it too; "": none

	writing
	acts

	leftBehind bool // on standby: cleanstop = no left it in the table
	weighed    bool // when its strength last changed

	addresses    announced                       // the addresses that are announced for it
	moving       []judge.Record                  // members, with what was recorded of them; nil: none moved yet
	rules        map[netip.AddrPort]judge.RuleID // the rules that decided the places of other destinations
	waitingSince time.Time                       // servers have no address; zero when all have one
}

// acts are notes on a virtual service that survive a reload.
type acts struct {
	told told
	*recent
	held   []*server      // that the guard holds; after a reload, until the next decision, those of the former plan
	full   bool           // all servers in service are full
	took   view.Durations // durations of its servers' checks
	stages view.StageTimes
}

// server is one real server of a virtual service.
type server struct {
	judge.Member
	*judge.Server
	real  *parser.Real
	first judgement // the judgement by its first check; with checktype=off it has no task

	maintenance string        // the file that puts it into maintenance; "" for none
	order       *orders.Order // of the operator; nil, or without a kind: none

	steps bool // only its weight changes, see judge.Section.Ramp
	stays bool // it left the file and stays, see parser.Virtual.Staying

	notes
}

// notes are what is known of a server beside its checks. They survive a reload.
type notes struct {
	before  judge.Name     // the previous state
	counted bool           // the table had the server when it was read the last time
	lasted  uint32         // how many seconds the previous state lasted
	carries lvs.Counters   // its counters in the kernel
	limit   *limit         // nil: it never had one
	witness *judge.Witness // nil: it was never observed
	tally   view.Tally
	past    history.History
	*recent // nil: its state never changed, and no condition ever held that is told
}

// sectionOf returns the part of a section that judge needs.
func sectionOf(cfg *parser.Virtual, readd bool) *judge.Section {
	s := &judge.Section{
		Rule: health.Rule{Fall: cfg.FailureCount, Rise: cfg.RiseCount, Need: cfg.Window.Need,
			Of: cfg.Window.Of},
		Policy: cfg.Policy, Observe: cfg.Observe, Announce: cfg.Announce != "",
		DrainTime: cfg.DrainTime.Duration(), Readd: readd,
		NoFallback: cfg.CheckType == parser.Off && !cfg.OwnFallback,
	}
	for i := range cfg.Waiting {
		weight := uint32(cfg.Waiting[i].Weight)
		if cfg.Waiting[i].Backup {
			weight = 0 // not counted
		}
		s.Waiting = append(s.Waiting, weight)
	}
	return s
}

// enlist makes the servers members of the section, with empty states.
func (v *virtual) enlist() {
	v.members = v.servers
	v.Members, v.Servers = v.enter(v.servers)
	v.Fallbacks, v.FallbackServers = v.enter(v.fallbackServers)
	v.Index()
}

func (v *virtual) enter(servers []*server) ([]*judge.Member, []judge.Server) {
	members, states := make([]*judge.Member, len(servers)), make([]judge.Server, len(servers))
	for i, s := range servers {
		members[i], s.Server = &s.Member, &states[i]
		s.Server.Member, s.At = &s.Member, int32(i)
		s.Unchecked = s.first.task == nil
		more := 0
		for j := s.first.next; j != nil; j = j.next {
			more++
		}
		s.More = make([]judge.Check, more)
		for k, j := 0, &s.first; j != nil; k, j = k+1, j.next {
			j.k, j.Check = uint8(k), s.Check(k)
			if n := int(j.number); n > 0 && n <= len(v.cfg.AlsoChecks) {
				j.Part = v.cfg.AlsoChecks[n-1].Weight
			}
			if v.cfg.Check(int(j.number)).CheckType == parser.Agent {
				j.Aside, j.Health = true, health.Assume(health.Up)
			}
			if j.Line = j.number; (len(v.Brakes) > 0 || v.Announce) && !s.Fallback {
				j.Way = new(judge.Way)
			}
		}
	}
	return members, states
}

// label and called name the virtual service in lines that the Perl ldirectord does not have.
func (v *virtual) label() string  { return view.Label(v.cfg.ID, v.cfg.ServiceName) }
func (v *virtual) called() string { return view.Label(v.name, v.cfg.ServiceName) }

// name is the name of a server in orders, status and metrics.
func (s *server) name() string {
	name, _ := s.names()
	return name
}

// label is the name of a server in the log: its name and its address.
func (s *server) label() string {
	if s.Fallback {
		return "fallback server " + s.name()
	}
	if s.followed() {
		return s.name() + " at " + lvs.FormatAddr(s.real.Addr.Addr())
	}
	return s.name()
}

// followed reports whether the address of the server may change while the daemon runs.
func (s *server) followed() bool {
	return s.MovedTo < 0 && s.real.Named != nil && s.real.Named.Followed
}

// serverAt returns the real server with an address of the table: if several share it, the one that is up; nil for none.
func (v *virtual) serverAt(addr netip.AddrPort) *server {
	if s := v.At(addr); s != nil {
		return v.members[s.At]
	}
	return nil
}

// services are the virtual services of the plan in force and the remaining ones of former plans, with the role and the
// teller. The parts of the director share one.
type services struct {
	role
	tell     teller
	global   *parser.Global
	hold     orders.All // in force
	tls      checker.TLSSums
	virtuals []*virtual // in the order of the file
	ours     []*virtual // those that this director puts into the table
	purges   []*virtual // no longer configured, still in the table
}

// watchedDrift is the longest interval of drift checks, in seconds, where checkinterval may be long because servers are
// watched.
const watchedDrift = 10

// driftInterval is the smallest checkinterval, less a tenth, so that a removed entry is back within one interval.
func (all *services) driftInterval() time.Duration {
	interval := all.global.CheckInterval
	for _, v := range all.virtuals {
		interval = min(interval, v.cfg.CheckInterval)
		if v.cfg.Watch.On {
			interval = min(interval, watchedDrift)
		}
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
