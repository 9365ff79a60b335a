package parser

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ldirectord/printable"
)

// All look-ups of a file together take no longer than this, and no more run at once. One that waits for its
// answer for long makes room for the next: names of the hosts file must not queue for a dead name server.
const (
	lookupDeadline = 5 * time.Second
	lookupsAtOnce  = 32
	lookupRoom     = 100 * time.Millisecond
)

// names collects what has to be looked up, each distinct name once, and then looks it all up.
type names struct {
	resolver Resolver
	last     Last
	stays    map[hostName]netip.Addr // an answer that has this address too means it
	hosts    map[hostName]*lookup[netip.Addr]
	ports    map[portName]*lookup[uint16]
}

type hostName struct {
	name string
	ipv6 bool
}

type portName struct {
	name     string
	protocol string // "" for any
}

// lookup is what became of a look-up.
type lookup[T any] struct {
	value    T
	reason   string // there is no value
	failure  string // why the look-up failed; value may be the last one that is known then
	reported bool   // the failure was reported
}

// lookedUp is the value of a host or a port as written: known, or from a look-up that may fail.
type lookedUp[T any] struct {
	known  T
	lookup *lookup[T]
}

type (
	address = lookedUp[netip.Addr]
	port    = lookedUp[uint16]
)

func refusedHost(reason string) address {
	return address{lookup: &lookup[netip.Addr]{reason: reason}}
}

// get returns the value, or the reason why there is none.
func (l lookedUp[T]) get() (T, string) {
	if l.lookup != nil {
		return l.lookup.value, l.lookup.reason
	}
	return l.known, ""
}

// failure is why a look-up failed, "" when it did not or none was needed.
func (l lookedUp[T]) failure() string {
	if l.lookup == nil {
		return ""
	}
	return l.lookup.failure
}

// host reads an address, IPv6 with or without brackets, or notes a name to look up.
func (n *names) host(text string, ipv6 bool) address {
	if strings.HasPrefix(text, "[") {
		return bracketed(text, ipv6)
	}
	if a, err := netip.ParseAddr(text); err == nil {
		return ofFamily(a, ipv6)
	}
	if reason := notLookedUp(text); reason != "" {
		return refusedHost(reason)
	}
	key := hostName{text, ipv6}
	if n.hosts[key] == nil {
		n.hosts[key] = &lookup[netip.Addr]{reason: "names are not looked up here"}
	}
	return address{lookup: n.hosts[key]}
}

// bracketed judges an address in brackets.
func bracketed(text string, ipv6 bool) address {
	inner, closed := strings.CutSuffix(text[1:], "]")
	a, ok := parseIPv6(inner)
	switch {
	case !closed || !ok:
		return refusedHost("only an IPv6 address takes brackets, and this is none")
	case !ipv6:
		return refusedHost("it is an IPv6 address; IPv4 is needed")
	default:
		return address{known: a}
	}
}

// ofFamily judges an address without brackets.
func ofFamily(a netip.Addr, ipv6 bool) address {
	switch {
	case a.Is4() && !ipv6:
		return address{known: a}
	case a.Is4():
		return refusedHost("it is an IPv4 address; IPv6 is needed")
	case !ipv6:
		return refusedHost("it is an IPv6 address; IPv4 is needed")
	default:
		return refusedHost("an IPv6 address is written in brackets")
	}
}

// notLookedUp says why a text is no host name, "" when it may be one.
func notLookedUp(text string) string {
	switch {
	case looksNumeric(text):
		return "an IPv4 address is four numbers from 0 to 255 without leading zeros"
	case looksLikeIPv6(text):
		return "an IPv6 address is written in brackets"
	case !isHostName(text):
		return "it is not a host name"
	}
	if first, _, ok := strings.Cut(text, "-"); ok {
		if _, ok := parseIPv4(first); ok {
			return "it is not a host name; a range is written FIRST->LAST"
		}
	}
	return ""
}

// port reads a port number or notes a service name to look up.
func (n *names) port(text, protocol string) port {
	if all(text, isDigit) {
		v, err := strconv.ParseUint(trimZeros(text), 10, 16)
		if err != nil {
			return port{lookup: &lookup[uint16]{reason: "it is out of range; a port is a number from 0 to 65535"}}
		}
		return port{known: uint16(v)}
	}
	key := portName{text, protocol}
	if n.ports[key] == nil {
		n.ports[key] = &lookup[uint16]{reason: "names are not looked up here"}
	}
	return port{lookup: n.ports[key]}
}

// lookUp answers everything that was noted. It returns when all answers are in or the deadline is over.
func (n *names) lookUp(ctx context.Context) {
	if n.resolver == nil || len(n.hosts)+len(n.ports) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookupDeadline)
	defer cancel()
	free := make(chan struct{}, lookupsAtOnce)
	var running sync.WaitGroup
	start := func(f func()) {
		free <- struct{}{}
		running.Go(func() {
			makeRoom := time.AfterFunc(lookupRoom, func() { <-free })
			f()
			if makeRoom.Stop() {
				<-free
			}
		})
	}
	for key, l := range n.hosts {
		start(func() { *l = n.lookUpHost(ctx, key) })
	}
	for key, l := range n.ports {
		start(func() { *l = n.lookUpPort(ctx, key) })
	}
	running.Wait()
}

func (n *names) lookUpHost(ctx context.Context, key hostName) lookup[netip.Addr] {
	addrs, err := n.resolver.Host(ctx, key.name, key.ipv6)
	if err != nil {
		return n.failed(key, printable.Text(err.Error()))
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap().WithZone("")
	}
	if a := n.stays[key]; slices.Contains(addrs, a) {
		return lookup[netip.Addr]{value: a}
	}
	for _, a := range addrs {
		if a.Is6() == key.ipv6 {
			return lookup[netip.Addr]{value: a}
		}
	}
	if key.ipv6 {
		return n.failed(key, "it has no IPv6 address")
	}
	return n.failed(key, "it has no IPv4 address")
}

// failed is a look-up that failed: the last address that is known counts, if there is one.
func (n *names) failed(key hostName, why string) lookup[netip.Addr] {
	l := lookup[netip.Addr]{reason: why, failure: why}
	if n.last == nil {
		return l
	}
	if a := n.last(key.name, key.ipv6); a.IsValid() && a.Is6() == key.ipv6 {
		l.value, l.reason = a, ""
	}
	return l
}

// list is what became of the look-ups of host names.
func (n *names) list() (list []Name) {
	for key, l := range n.hosts {
		list = append(list, Name{Host: key.name, IPv6: key.ipv6, Addr: l.value, Why: l.failure})
	}
	slices.SortFunc(list, func(a, b Name) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(strconv.FormatBool(a.IPv6), strconv.FormatBool(b.IPv6)))
	})
	return list
}

func (n *names) lookUpPort(ctx context.Context, key portName) lookup[uint16] {
	p, err := n.resolver.Port(ctx, key.name, key.protocol)
	if err != nil {
		return lookup[uint16]{reason: printable.Text(err.Error())}
	}
	return lookup[uint16]{value: p}
}

// LookUp looks the names of a configuration up again, with the deadline that the names of a file have. A name whose
// answer has the address that it had keeps that one: the order of an answer means nothing.
func LookUp(ctx context.Context, resolver Resolver, list []Name) []Name {
	n := names{resolver: resolver, stays: map[hostName]netip.Addr{}, hosts: make(map[hostName]*lookup[netip.Addr], len(list))}
	for _, name := range list {
		key := hostName{name.Host, name.IPv6}
		n.hosts[key] = &lookup[netip.Addr]{}
		n.stays[key] = name.Addr
	}
	n.lookUp(ctx)
	return n.list()
}
