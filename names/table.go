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

// names are the names of a file, each distinct one once. They are noted as they are asked for, and then all looked up.
type names struct {
	Options
	stay    bool                // an answer that has the last address too means it
	again   bool                // the names were read before
	refused map[netip.Addr]bool // where a name that is looked up again may not lead to
	roles   map[hostName]role
	hosts   map[hostName]*lookup[netip.Addr]
	ports   map[portName]*lookup[uint16]
	warned  map[hostName]bool // there was a warning about its look-up
}

func newNames(o Options) names {
	return names{
		Options: o,
		roles:   map[hostName]role{},
		hosts:   map[hostName]*lookup[netip.Addr]{},
		ports:   map[portName]*lookup[uint16]{},
		warned:  map[hostName]bool{},
	}
}

type hostName struct {
	name string
	ipv6 bool
}

type portName struct {
	name     string
	protocol string // "" for any
}

// lookup is the value of a host or a port as written, or what became of its look-up.
type lookup[T any] struct {
	value   T
	reason  string // there is no value
	failure string // why the look-up failed; value may be the last one that is known then
}

// host reads an address, IPv6 in brackets, or notes a name to look up.
func (n *names) host(text string, ipv6 bool) (l lookup[netip.Addr]) {
	inner, bracketed := strings.CutPrefix(text, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	a, err := netip.ParseAddr(inner)
	switch {
	case bracketed && !(closed && isIPv6(a)):
		l.reason = "only an IPv6 address takes brackets, and this is none"
	case err != nil || closed && !bracketed:
		return n.hostName(text, ipv6)
	case a.Is6() && !ipv6:
		l.reason = "it is an IPv6 address; IPv4 is needed"
	case a.Is4() && ipv6:
		l.reason = "it is an IPv4 address; IPv6 is needed"
	case a.Is6() && !bracketed:
		l.reason = bracketsMissing
	default:
		l.value = a
	}
	return l
}

const bracketsMissing = "an IPv6 address is written in brackets"

func (n *names) hostName(text string, ipv6 bool) lookup[netip.Addr] {
	if reason := notLookedUp(text); reason != "" {
		return lookup[netip.Addr]{reason: reason}
	}
	return noted(n.hosts, hostName{text, ipv6})
}

// noted is what is known of a name, which is noted.
func noted[K comparable, T any](list map[K]*lookup[T], name K) lookup[T] {
	if list[name] == nil {
		list[name] = &lookup[T]{reason: "names are not looked up here"}
	}
	return *list[name]
}

// notLookedUp says why a text is no host name, "" when it may be one.
func notLookedUp(text string) string {
	switch {
	case numeric.MatchString(text):
		return "an IPv4 address is four numbers from 0 to 255 without leading zeros"
	case looksLikeIPv6(text):
		return bracketsMissing
	case len(text) > maxHostLength || !all(text, isHostByte):
		return "it is not a host name"
	}
	if first, _, ok := strings.Cut(text, "-"); ok {
		if _, ok := parseIPv4(first); ok {
			return "it is not a host name; a range is written FIRST->LAST"
		}
	}
	return ""
}

// port reads a port number, 0 where none is written, or notes a service name to look up.
func (n *names) port(text, protocol string) lookup[uint16] {
	if text != "" && !all(text, isDigit) {
		return noted(n.ports, portName{text, protocol})
	}
	v, err := strconv.ParseUint("0"+text, 10, 16)
	if err != nil {
		return lookup[uint16]{reason: "it is out of range; a port is a number from 0 to 65535"}
	}
	return lookup[uint16]{value: uint16(v)}
}

// lookUp answers everything that was noted. It returns when all answers are in or the deadline is over, and reports
// whether there was anything to look up.
func (n *names) lookUp(ctx context.Context) bool {
	if n.Resolver == nil || len(n.hosts)+len(n.ports) == 0 {
		return false
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
	return true
}

func (n *names) lookUpHost(ctx context.Context, key hostName) lookup[netip.Addr] {
	addrs, err := n.Resolver.Host(ctx, key.name, key.ipv6)
	if err != nil {
		return n.failed(key, printable.Text(err.Error()))
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap().WithZone("")
	}
	if a := n.lastOf(key); n.stay && len(a) > 0 && slices.Contains(addrs, a[0]) && n.refusal(key, a[0]) == "" {
		return lookup[netip.Addr]{value: a[0]}
	}
	why := "it has no IPv4 address"
	if key.ipv6 {
		why = "it has no IPv6 address"
	}
	for _, a := range addrs {
		if a.Is6() != key.ipv6 {
			continue
		}
		if why = n.refusal(key, a); why == "" {
			return lookup[netip.Addr]{value: a}
		}
	}
	return n.failed(key, why)
}

// failed is a look-up that failed: the last address that is known counts, if there is one.
func (n *names) failed(key hostName, why string) lookup[netip.Addr] {
	l := lookup[netip.Addr]{reason: why, failure: why}
	if a := n.lastOf(key); len(a) > 0 && n.refusal(key, a[0]) == "" {
		l.value, l.reason = a[0], ""
	}
	return l
}

// lastOf are the addresses that a name had, the last one first.
func (n *names) lastOf(key hostName) []netip.Addr {
	if n.Last == nil {
		return nil
	}
	isOther := func(a netip.Addr) bool { return !a.IsValid() || a.Is6() != key.ipv6 }
	return slices.DeleteFunc(slices.Clone(n.Last(key.name, key.ipv6)), isOther)
}

// list is what became of the look-ups of host names.
func (n *names) list() (list []Name) {
	for key, l := range n.hosts {
		list = append(list, Name{Host: key.name, IPv6: key.ipv6, Addr: l.value, Why: l.failure,
			Followed: n.follows(key), Earlier: n.earlier(key)})
	}
	slices.SortFunc(list, func(a, b Name) int {
		return cmp.Or(strings.Compare(a.Host, b.Host),
			strings.Compare(strconv.FormatBool(a.IPv6), strconv.FormatBool(b.IPv6)))
	})
	return list
}

func (n *names) lookUpPort(ctx context.Context, key portName) lookup[uint16] {
	p, err := n.Resolver.Port(ctx, key.name, key.protocol)
	if err != nil {
		return lookup[uint16]{reason: printable.Text(err.Error())}
	}
	return lookup[uint16]{value: p}
}

// LookUp looks the names of a configuration up again, with the deadline that the names of a file have. A name whose
// answer has the address that it had keeps that one: the order of an answer means nothing. One that fails keeps it as
// well, and has Why.
// Of the options the resolver and the own addresses count.
func (c *Config) LookUp(ctx context.Context, o Options, list []Name) []Name {
	before := make(map[hostName]Name, len(list))
	o.Last = func(host string, ipv6 bool) []netip.Addr {
		name := before[hostName{host, ipv6}]
		return append([]netip.Addr{name.Addr}, name.Earlier...)
	}
	n := newNames(o)
	n.stay, n.again, n.refused = true, true, c.ownAddresses()
	for _, name := range list {
		key := hostName{name.Host, name.IPv6}
		before[key], n.hosts[key] = name, &lookup[netip.Addr]{}
		if name.Followed {
			n.roles[key] = ofReal
		}
	}
	n.lookUp(ctx)
	return n.list()
}
