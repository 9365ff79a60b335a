package parser

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// All look-ups of a file together take no longer than this, and no more run at once.
const (
	lookupDeadline = 5 * time.Second
	lookupsAtOnce  = 32
)

// names collects what has to be looked up, each distinct name once, and then looks it all up.
type names struct {
	resolver Resolver
	hosts    map[hostName]*hostLookup
	ports    map[portName]*portLookup
}

type hostName struct {
	name string
	ipv6 bool
}

type portName struct {
	name     string
	protocol string // "" for any
}

type hostLookup struct {
	addr   netip.Addr
	reason string
}

type portLookup struct {
	port   uint16
	reason string
}

// address is the address of a host as written: known, or in a look-up that may fail.
type address struct {
	known  netip.Addr
	lookup *hostLookup
}

func refusedHost(reason string) address { return address{lookup: &hostLookup{reason: reason}} }

// get returns the address, or the reason why there is none.
func (a address) get() (netip.Addr, string) {
	if a.lookup != nil {
		return a.lookup.addr, a.lookup.reason
	}
	return a.known, ""
}

// port is the same for a port.
type port struct {
	known  uint16
	lookup *portLookup
}

func (p port) get() (uint16, string) {
	if p.lookup != nil {
		return p.lookup.port, p.lookup.reason
	}
	return p.known, ""
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
		n.hosts[key] = &hostLookup{reason: "names are not looked up here"}
	}
	return address{lookup: n.hosts[key]}
}

// bracketed judges an address in brackets.
func bracketed(text string, ipv6 bool) address {
	inner, closed := strings.CutSuffix(text[1:], "]")
	a, ok := parseIPv6(inner)
	switch {
	case !closed || !ok:
		return refusedHost("only an IPv6 address stands in brackets, and this is none")
	case !ipv6:
		return refusedHost("it is an IPv6 address; IPv4 is needed")
	default:
		return address{known: a}
	}
}

// ofFamily judges an address that stands without brackets.
func ofFamily(a netip.Addr, ipv6 bool) address {
	switch {
	case a.Is4() && !ipv6:
		return address{known: a}
	case a.Is4():
		return refusedHost("it is an IPv4 address; IPv6 is needed")
	case !ipv6:
		return refusedHost("it is an IPv6 address; IPv4 is needed")
	default:
		return refusedHost("an IPv6 address stands in brackets")
	}
}

// notLookedUp says why a text is no host name, "" when it may be one.
func notLookedUp(text string) string {
	switch {
	case looksNumeric(text):
		return "an IPv4 address is four numbers from 0 to 255 without leading zeros"
	case looksLikeIPv6(text):
		return "an IPv6 address stands in brackets"
	case !isHostName(text):
		return "it is no host name"
	}
	if first, _, ok := strings.Cut(text, "-"); ok {
		if _, ok := parseIPv4(first); ok {
			return "it is no host name; a range is written FIRST->LAST"
		}
	}
	return ""
}

// port reads a port number or notes a service name to look up.
func (n *names) port(text, protocol string) port {
	if all(text, isDigit) {
		v, err := strconv.ParseUint(trimZeros(text), 10, 16)
		if err != nil {
			return port{lookup: &portLookup{reason: "it is out of range; a port is a number from 0 to 65535"}}
		}
		return port{known: uint16(v)}
	}
	key := portName{text, protocol}
	if n.ports[key] == nil {
		n.ports[key] = &portLookup{reason: "names are not looked up here"}
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
			defer func() { <-free }()
			f()
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

func (n *names) lookUpHost(ctx context.Context, key hostName) hostLookup {
	addrs, err := n.resolver.Host(ctx, key.name, key.ipv6)
	if err != nil {
		return hostLookup{reason: printable(err.Error())}
	}
	for _, a := range addrs {
		if a = a.Unmap().WithZone(""); a.Is6() == key.ipv6 {
			return hostLookup{addr: a}
		}
	}
	if key.ipv6 {
		return hostLookup{reason: "it has no IPv6 address"}
	}
	return hostLookup{reason: "it has no IPv4 address"}
}

func (n *names) lookUpPort(ctx context.Context, key portName) portLookup {
	p, err := n.resolver.Port(ctx, key.name, key.protocol)
	if err != nil {
		return portLookup{reason: printable(err.Error())}
	}
	return portLookup{port: p}
}
