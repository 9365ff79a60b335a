package main

import (
	"net/netip"
	"slices"

	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// owners finds the virtual service to which an entry in the kernel's connection table belongs. A template's entry names
// its service. A connection's entry shows the address that the client used, but not the mark of the packets. The owner
// of a connection is therefore found from the configured mark rules, from that address and port, or else from the
// server.
type owners struct {
	services []*balanced
	byKey    map[lvs.Key][]*balanced // one; none for an unconfigured service in the table
	marks    []*balanced
}

// balanced is a virtual service with its servers and their state in the table.
type balanced struct {
	*plan.Service
	shown    bool
	servers  []serverLine
	table    lvs.VirtualService // as in the table; without a scheduler if it is not there
	template netip.AddrPort     // the server of the client's template, see owners.note
}

// newOwners takes the state of each real server from states if that has it, and all other states from the table. Only
// the services that shown names are shown; "" means all.
func newOwners(services []*plan.Service, table lvs.Table, states map[lvs.Backend]string,
	shown string) *owners {
	o := &owners{byKey: map[lvs.Key][]*balanced{}}
	for key := range table {
		o.byKey[key] = nil
	}
	for _, s := range services {
		b := &balanced{Service: s, shown: lvs.IsNamed(s.Config.ID, shown), table: table[s.Key()]}
		b.find(states)
		o.services = append(o.services, b)
		o.byKey[s.Key()] = []*balanced{b}
		if s.Key().Protocol == lvs.Mark {
			o.marks = append(o.marks, b)
		}
	}
	return o
}

// find finds the configured servers in file order, then the others in the table.
func (b *balanced) find(states map[lvs.Backend]string) {
	seen := map[netip.AddrPort]bool{}
	add := func(name string, addr netip.AddrPort, state string) {
		if seen[addr] {
			return
		}
		seen[addr] = true
		n := b.table.Counters[addr]
		b.servers = append(b.servers, serverLine{addr, b.Config.ID, name, state, b.table.Dests.Weight(addr),
			n.Active, n.Inactive, n.Persistent})
	}
	for _, m := range b.Entries {
		state := states[lvs.At(b.Config.ID, m.Name())]
		if state == "" || m.Fallback {
			state = b.stateOf(m)
		}
		add(m.Name(), m.Dest.Addr, state)
	}
	for _, d := range b.table.Dests {
		add(d.Addr.String(), d.Addr, notConfigured)
	}
}

const notConfigured = "not configured"

// stateOf derives a server's state from the table alone.
func (b *balanced) stateOf(m *plan.Entry) string {
	dest, in := b.table.Dests.At(m.Dest.Addr)
	serves := in && (dest.Weight > 0 || m.Dest.Weight == 0)
	switch {
	case m.Fallback && serves:
		return "fallback"
	case m.Fallback:
		return "standby"
	case serves:
		return "up"
	default:
		return "down"
	}
}

// server finds a server by address and port, or else by address alone, because an entry may lack the port and an FTP
// data connection uses another port.
func (b *balanced) server(dest netip.AddrPort) serverLine {
	i := slices.IndexFunc(b.servers, func(s serverLine) bool { return s.addr == dest })
	if i < 0 {
		i = slices.IndexFunc(b.servers, func(s serverLine) bool { return s.addr.Addr() == dest.Addr() })
	}
	if i < 0 {
		return serverLine{Server: dest.String(), ServerState: notConfigured}
	}
	return b.servers[i]
}

// of returns the virtual services that may own an entry. There are none if the service is not configured, and several
// if the entry is ambiguous. It searches in the same order as the kernel's ip_vs_service_find (ip_vs_ctl.c): by mark,
// by address and port, by the FTP control port, and by port 0 (every port). If that finds none, it returns the services
// by mark that have the connection's server.
func (o *owners) of(c ipvsctl.Connection) []*balanced {
	ipv6 := c.Virtual.Addr().Is6()
	if mark := c.Mark(); mark != 0 {
		return o.byKey[lvs.Key{Mark: mark, IPv6: ipv6}]
	}
	for _, b := range o.marks {
		gives := func(m parser.Marking) bool { return m.Catches(c.Virtual, c.Protocol.String()) }
		if slices.ContainsFunc(b.Config.Marking, gives) {
			return []*balanced{b}
		}
	}
	for _, port := range servicePorts(c) {
		key := lvs.Key{Protocol: c.Protocol, Addr: netip.AddrPortFrom(c.Virtual.Addr(), port), IPv6: ipv6}
		if owner, known := o.byKey[key]; known {
			return owner
		}
	}
	var may []*balanced
	for _, b := range o.marks {
		if b.Key().IPv6 == ipv6 && b.server(c.Dest).addr.IsValid() {
			may = append(may, b)
		}
	}
	return may
}

const (
	ftpPort     = 21
	ftpDataPort = 20
	firstFree   = 1024 // ports of passive data connections
)

// servicePorts returns the possible ports of the virtual service of a connection.
func servicePorts(c ipvsctl.Connection) []uint16 {
	port := c.Virtual.Port()
	if c.Protocol == lvs.TCP && (port == 0 || port == ftpDataPort || port >= firstFree) {
		return []uint16{port, ftpPort, 0}
	}
	return []uint16{port, 0}
}
