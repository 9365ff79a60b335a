package doctor

import (
	"cmp"
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
// sends nothing to the network. It asks the kernel for devices and routes, and reads some files in /proc.
type Machine struct {
	services atomic.Pointer[[]*plan.Service]
	narrow   networks
	root     string // of /proc; "" except in tests
	last     facts
	dropped  int // packets since the boot
	at       time.Time
}

// watched maps each kind of finding that a look reports to a degree of trouble. With withdrawon = broken, the kinds
// that are judge.Broken make the director withdraw its announced addresses.
var watched = map[string]judge.Trouble{
	"forwarding": judge.Broken, "server-card": judge.Broken,
	"announce-filter": judge.Doubt, "check-filter": judge.Doubt,
	"conntrack-full": judge.Doubt, "neighbours-full": judge.Doubt, "packets-dropped": judge.Doubt,
	"connection-table": judge.Noted,
}

// NewMachine returns a Machine that examines what these services need.
func NewMachine(services []*plan.Service) *Machine {
	m := &Machine{narrow: networks{}}
	m.Follow(services)
	return m
}

// Follow makes later looks examine what these services need, and no longer what the previous ones needed.
func (m *Machine) Follow(services []*plan.Service) { m.services.Store(&services) }

// maxExamples limits how many servers a look examines.
const maxExamples = 256

// way is what decides how packets to a server, and the answers to its checks, are forwarded.
type way struct {
	network netip.Prefix
	lvs.Forward
	here, fallback     bool   // the server is this machine; it is a fallback server
	announced, checked bool   // the virtual address is announced; the section has checkvip
	device             string // the one with the address of checkvip; "" if there is none
}

// examples returns the services, reduced to one server for each way.
func examples(services []*plan.Service, devices []device, narrow networks) (list []*plan.Service) {
	own, seen := ownersOf(devices), map[way]bool{}
	for _, s := range services {
		one := *s
		one.Entries = nil
		vip := s.Config.CheckVIP
		w := way{announced: isAnnounced(s), checked: vip.IsValid(), device: own[vip]}
		for _, m := range s.Entries {
			addr := addressOf(m)
			w.network, w.Forward = narrow.of(addr), m.Dest.Forward
			w.here, w.fallback = own[addr] != "", m.Fallback
			if !seen[w] && len(seen) < maxExamples {
				seen[w] = true
				one.Entries = append(one.Entries, m)
			}
		}
		if len(one.Entries) > 0 {
			list = append(list, &one)
		}
	}
	return list
}

// ownersOf maps each of this machine's addresses to the first device that has it.
func ownersOf(devices []device) map[netip.Addr]string {
	owners := map[netip.Addr]string{}
	for _, d := range devices {
		for _, p := range d.prefixes {
			owners[p.Addr()] = cmp.Or(owners[p.Addr()], d.Name)
		}
	}
	return owners
}

// networks maps a /24 or /64, as returned by usual, to the narrower networks in it that devices have.
type networks map[netip.Prefix][]netip.Prefix

// usual returns the /24 or /64 of an address. Packets to the addresses in it usually take the same route.
func usual(addr netip.Addr) netip.Prefix {
	bits := 24
	if addr.Is6() {
		bits = 64
	}
	network, _ := addr.Prefix(bits) // both lengths are valid
	return network
}

// add adds the networks of devices. It keeps the networks of devices that are gone, because a missing device is a
// finding.
func (n networks) add(devices []device) {
	for _, d := range devices {
		for _, p := range d.prefixes {
			p, in := p.Masked(), usual(p.Addr())
			if !p.IsSingleIP() && p.Bits() > in.Bits() && !slices.Contains(n[in], p) {
				n[in] = append(n[in], p)
			}
		}
	}
}

// of returns the narrowest network of an address.
func (n networks) of(addr netip.Addr) netip.Prefix {
	narrowest := usual(addr)
	for _, p := range n[narrowest] {
		if p.Contains(addr) && p.Bits() > narrowest.Bits() {
			narrowest = p
		}
	}
	return narrowest
}

// Look returns what this machine lacks now. It returns only the first finding of each kind, as a condition. The command
// doctor reports all of them.
func (m *Machine) Look(now time.Time) []view.Condition { return conditions(m.read(now)) }

// IsBroken reports whether one of the conditions is judge.Broken, see watched.
func IsBroken(found []view.Condition) bool {
	return slices.ContainsFunc(found, func(c view.Condition) bool { return c.Trouble == judge.Broken })
}

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
	f := facts{root: m.root, routes: map[routeQuery]route{},
		settings: map[string]string{}, devices: m.last.devices, routers: m.last.routers}
	if devices, err := devicesHere(); err == nil {
		f.devices = devices
	}
	m.narrow.add(f.devices)
	f.services = examples(*m.services.Load(), f.devices, m.narrow)
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

// keepRoutes restores the last route of each query that no longer has one, because the state of that route's device
// shows the reason.
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
