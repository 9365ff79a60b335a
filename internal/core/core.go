// Package core decides what to do for all virtual services together, when, and in which order. This covers writes to
// the table, addresses, mark rules, messages, and which conversations of checks are kept. Package judge decides about
// each single virtual service. judge.Writes and lvs.Diff determine the order of the operations of a write. The methods
// of Core receive the events, such as results of checks, results of changes to mark rules or addresses, requests of
// operators, and the time. Step then does everything that is due. The package has no clock of its own and waits only
// for the table's answers, so a test can play any order of events in memory.
package core

import (
	"net/netip"
	"time"

	"ldirectord/internal/announce"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/schedule"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// World holds what a core acts on and what it knows about earlier daemons.
type World struct {
	Tell []Receiver // the receivers of changes, besides the core's own
	// Former lists the virtual services of the previous daemon, which handed over or crashed. Those that are not in
	// the plan are purged.
	Former []lvs.Key
	// Announced is the previous daemon's record of the addresses that it put on devices. Those that are not in the
	// plan are withdrawn.
	Announced announce.Record
	// Through, if not nil, is called with the virtual addresses that checks go through. Checks must not use an
	// address that maps to true, because other daemons have the virtual services at that address.
	Through func(left map[netip.Addr]bool)
	// Departing lists the servers that were leaving when the previous daemon ended, and those in maintenance whose
	// names had moved to another address, see departures.record.
	Departing []judge.Record
	// Leave, if not nil, is called with the current list when it changes, before the table changes. The list passed
	// last becomes Departing of the next daemon.
	Leave func([]judge.Record)
	// Moving lists the servers whose weights were changing or that had to wait when the previous daemon ended, with
	// what judge remembered of them (judge.Memory and judge.Spoken). Move, if not nil, is called with the current
	// list, before the table changes. The shortest time between two calls grows with the number of servers, up to a
	// second.
	Moving []judge.Record
	Move   func([]judge.Record)
	// Orders apply from the start.
	Orders orders.All
	// Standby makes the core start on standby, see SetStandby.
	Standby bool
}

// Performers carry out what a core decides. They decide nothing.
type Performers struct {
	Checks  Checks
	Watches Watches
	Claims  Claims // nil: there are no other daemons
	Marks   bool   // mark rules are set; otherwise none are needed
	// Await is called for each receiver that has to finish before the table is emptied. It returns a function that
	// ends the wait.
	Await func() (done func())
}

// Checks runs the checks of a plan, see schedule.Pool.
type Checks interface {
	Set(tasks []*schedule.Task, heirs map[*schedule.Task]*schedule.Task)
	Hurry(t *schedule.Task, every time.Duration)
	Ask(tasks ...*schedule.Task)
	Tape(t *schedule.Task)
}

// Core is the state of all virtual services. Its parts share the struct services but have no access to Core itself. Its
// methods are called one at a time.
type Core struct {
	services
	writer     writer
	examiner   examiner
	claimant   claimant
	ordered    orderBook
	departures departures
	observer   observer
	movers     movers
	folder     maintainer
	marker     *marker
	announcer  *announcer
	machine    *machine
	former     []lvs.Key // see World
	compared   time.Time // when the table is next compared with the last write
}

// New returns a core without virtual services.
func New(w World, by Performers) *Core {
	c := &Core{former: w.Former}
	all := &c.services
	c.role = role{standby: w.Standby}
	c.tell = teller{receivers: append([]Receiver{count, remember, shift}, w.Tell...), global: &parser.Global{},
		await: by.Await}
	c.departures = departures{services: all, records: records{w.Departing, w.Leave}}
	c.movers = movers{services: all, records: records{w.Moving, w.Move}}
	c.folder = maintainer{services: all}
	c.marker = &marker{services: all, rules: judge.Marks{Kept: by.Marks}}
	c.machine = &machine{services: all}
	c.announcer = &announcer{background: background[[]lvs.Wanted]{due: len(w.Announced) > 0}, services: all,
		marks: c.marker, machine: c.machine, before: w.Announced, looked: len(w.Announced) == 0}
	c.examiner = examiner{services: all, checked: by.Checks, watches: by.Watches,
		conversations: conversations{tape: by.Checks.Tape, kept: map[*schedule.Task]view.Conversation{}}}
	c.observer = observer{services: all, examiner: &c.examiner}
	c.hold.Given(w.Orders)
	c.ordered = orderBook{services: all, examiner: &c.examiner, announcer: c.announcer}
	c.claimant = claimant{services: all, claims: by.Claims, through: w.Through, marker: c.marker,
		announcer: c.announcer}
	c.writer = writer{services: all, others: &c.claimant, announcer: c.announcer, marker: c.marker,
		examiner: &c.examiner, departures: &c.departures, movers: &c.movers}
	return c
}
