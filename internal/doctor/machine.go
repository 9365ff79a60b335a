package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/view"
)

// Machine finds what prevents this machine from forwarding packets as a plan requires. A look runs no programs and
// sends nothing to the network. It asks the kernel for devices and routes, and reads some files in /proc, each up to a
// limited size.
type Machine struct {
	services atomic.Pointer[[]*plan.Service]
	root     string // of /proc; "" except in tests
	last     facts
	dropped  int // packets since the boot
	at       time.Time
}

// watched maps each kind of finding that a look reports to a degree of trouble. Kinds that stop all traffic are
// judge.Broken.
var watched = map[string]judge.Trouble{
	"forwarding": judge.Broken, "server-card": judge.Broken,
	"announce-filter": judge.Doubt, "check-filter": judge.Doubt,
	"conntrack-full": judge.Doubt, "neighbours-full": judge.Doubt, "packets-dropped": judge.Doubt,
	"connection-table": judge.Noted,
}

// NewMachine returns a Machine that examines what these services need.
func NewMachine(services []*plan.Service) *Machine {
	m := &Machine{}
	m.Follow(services)
	return m
}

// Follow makes later looks examine what these services need, and no longer what the previous ones needed.
func (m *Machine) Follow(services []*plan.Service) {
	list := examples(services)
	m.services.Store(&list)
}

// maxExamples limits how many servers a look examines.
const maxExamples = 64

// examples returns the services, reduced to one server for each network and forwarding method. Packets to the other
// servers are forwarded in the same way.
func examples(services []*plan.Service) (list []*plan.Service) {
	type way struct {
		netip.Prefix
		lvs.Forward
	}
	seen := map[way]bool{}
	for _, s := range services {
		one := *s
		one.Entries = slices.DeleteFunc(slices.Clone(s.Entries), func(m *plan.Entry) bool {
			addr, bits := addressOf(m), 24
			if addr.Is6() {
				bits = 64
			}
			network, _ := addr.Prefix(bits) // they fit
			of := way{network, m.Dest.Forward}
			known := seen[of] || len(seen) == maxExamples
			if !known {
				seen[of] = true
			}
			return known
		})
		if len(one.Entries) > 0 {
			list = append(list, &one)
		}
	}
	return list
}

// Look returns what this machine lacks now. It returns only the first finding of each kind, as a condition. The command
// doctor reports all of them.
func (m *Machine) Look(now time.Time) []view.Condition { return conditions(m.read(now)) }

func conditions(f facts) (list []view.Condition) {
	e := &examination{facts: f}
	for _, s := range e.services {
		x := e.of(s)
		x.forwarding()
		x.cards()
		x.announced()
		x.through()
	}
	e.fills()
	for _, f := range e.list {
		trouble, is := watched[f.Kind]
		if is && !slices.ContainsFunc(list, func(c view.Condition) bool { return c.Kind == f.Kind }) {
			list = append(list, view.Condition{Kind: f.Kind, Trouble: trouble, Text: f.advice()})
		}
	}
	return list
}

// read gathers the facts that a look needs.
func (m *Machine) read(now time.Time) facts {
	f := facts{services: *m.services.Load(), root: m.root, routes: map[routeQuery]route{},
		settings: map[string]string{}, devices: m.last.devices, routers: m.last.routers}
	if devices, err := devicesHere(); err == nil {
		f.devices = devices
	}
	f.findRoutes()
	f.keepRoutes(m.last.routes)
	if len(f.routers) == 0 && slices.ContainsFunc(f.services, isAnnounced) {
		f.routers, _ = routersHere()
	}
	names := []string{forward4, forward6, connections, trackable, neighbours4, neighbours6}
	for _, device := range append(f.leading(), "all") {
		names = append(names, ofDevice(device, forwards), ofDevice(device, reversePath), acceptRA(device))
	}
	f.readSettings(names)
	f.readGauges()
	all := f.drops.packets
	f.drops = drops{max(all-m.dropped, 0), fmt.Sprintf("within %v", now.Sub(m.at).Round(time.Second))}
	if m.at.IsZero() {
		f.drops.packets = 0 // drops since the boot may be old
	}
	m.last, m.dropped, m.at = f, all, now
	return f
}

// If a query has lost its route, keepRoutes keeps the last one, because the state of that route's device shows the
// reason.
func (f *facts) keepRoutes(last map[routeQuery]route) {
	for q, r := range last {
		if f.routes[q] == (route{}) {
			f.routes[q] = r
		}
	}
}

// leading returns the devices of all routes.
func (f *facts) leading() (list []string) {
	for _, r := range f.routes {
		if r.device != "" && !slices.Contains(list, r.device) {
			list = append(list, r.device)
		}
	}
	return list
}
