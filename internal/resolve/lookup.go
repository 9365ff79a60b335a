package resolve

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// LookupDeadline is the total time limit for the look-ups of a file.
const LookupDeadline = 5 * time.Second

// At most lookupsAtOnce look-ups run at the same time. A look-up that takes longer than lookupRoom no longer counts
// towards this limit, so that names in the hosts file need not wait for a dead name server.
const (
	lookupsAtOnce = 32
	lookupRoom    = 100 * time.Millisecond
)

// Table holds the names of a configuration, without duplicates. It notes a name when the name is first requested.
// LookUp then looks up all of them.
type Table struct {
	Source
	// names are looked up again while the daemon is running, so if an answer contains the last address, that
	// address stays in use
	Again   bool
	read    bool                // this is a repeated look-up, not the one when the file is read
	refused map[netip.Addr]bool // addresses that a followed name must not resolve to
	roles   map[Key]Role
	hosts   map[Key]*HostLookup
	ports   map[portName]*PortLookup
}

// NewTable returns an empty table.
func NewTable(s Source) *Table {
	return &Table{
		Source: s,
		roles:  map[Key]Role{},
		hosts:  map[Key]*HostLookup{},
		ports:  map[portName]*PortLookup{},
	}
}

type portName struct {
	name     string
	protocol string // "" for any
}

// HostLookup is the numeric address of a host, or the result of its look-up.
type HostLookup struct {
	Value   netip.Addr
	Reason  string       // why there is no Value
	Failure string       // why the look-up failed; Value may then be the last known address
	All     []netip.Addr // the whole answer, sorted; nil without one
	NoName  bool         // the answer is ErrNoName
}

// PortLookup is the number of a port, or the result of its look-up.
type PortLookup struct {
	Value  uint16
	Reason string // why there is no Value
}

const unknown = "names are not looked up here"

// Host notes a host name, and returns what is known about it.
func (t *Table) Host(name string, ipv6 bool) HostLookup {
	key := Key{name, ipv6}
	if t.hosts[key] == nil {
		t.hosts[key] = &HostLookup{Reason: unknown}
	}
	return *t.hosts[key]
}

// Port notes a service name, and returns what is known about it.
func (t *Table) Port(name, protocol string) PortLookup {
	key := portName{name, protocol}
	if t.ports[key] == nil {
		t.ports[key] = &PortLookup{Reason: unknown}
	}
	return *t.ports[key]
}

// Name returns what is known about a host name, or nil if the text was not noted as a name.
func (t *Table) Name(text string, ipv6 bool) *Name {
	key := Key{text, ipv6}
	if l := t.hosts[key]; l != nil {
		return &Name{key, l.Value, l.Failure, t.follows(key), t.earlier(key)}
	}
	return nil
}

// LookUp looks up everything that was noted. It returns when all answers have arrived or the deadline has passed, and
// reports whether there was anything to look up.
func (t *Table) LookUp(ctx context.Context) bool {
	if t.Resolver == nil || len(t.hosts)+len(t.ports) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, LookupDeadline)
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
	for key, l := range t.hosts {
		start(func() { *l = t.lookUpHost(ctx, key) })
	}
	for key, l := range t.ports {
		start(func() {
			p, err := t.Resolver.Port(ctx, key.name, key.protocol)
			if *l = (PortLookup{Value: p}); err != nil {
				*l = PortLookup{Reason: err.Error()}
			}
		})
	}
	running.Wait()
	return true
}

func (t *Table) lookUpHost(ctx context.Context, key Key) HostLookup {
	addrs, err := t.Resolver.Host(ctx, key.Host, key.IPv6)
	isNoName := errors.Is(err, ErrNoName)
	if err != nil && !isNoName {
		return t.failed(key, err.Error())
	}
	all := []netip.Addr{}
	for _, a := range addrs {
		if a = a.Unmap().WithZone(""); a.Is6() == key.IPv6 {
			all = append(all, a)
		}
	}
	l := t.choose(key, all)
	l.NoName = isNoName
	slices.SortFunc(all, netip.Addr.Compare)
	l.All = slices.Compact(all)
	return l
}

// choose picks an address for a name: the first in addrs that is not refused. With Again, it prefers the name's last
// address, if addrs still contains it.
func (t *Table) choose(key Key, addrs []netip.Addr) HostLookup {
	if a := t.lastOf(key); t.Again && len(a) > 0 && slices.Contains(addrs, a[0]) && t.refusal(key, a[0]) == "" {
		return HostLookup{Value: a[0]}
	}
	why := "it has no IPv4 address"
	if key.IPv6 {
		why = "it has no IPv6 address"
	}
	for _, a := range addrs {
		if why = t.refusal(key, a); why == "" {
			return HostLookup{Value: a}
		}
	}
	return t.failed(key, why)
}

// failed returns the result of a failed look-up. A last known address stays in use, unless it is refused.
func (t *Table) failed(key Key, why string) HostLookup {
	l := HostLookup{Reason: why, Failure: why}
	if a := t.lastOf(key); len(a) > 0 && t.refusal(key, a[0]) == "" {
		l.Value, l.Reason = a[0], ""
	}
	return l
}

// lastOf returns the addresses that a name has had in its family, latest first.
func (t *Table) lastOf(key Key) []netip.Addr {
	if t.Last == nil {
		return nil
	}
	isOther := func(a netip.Addr) bool { return !a.IsValid() || a.Is6() != key.IPv6 }
	return slices.DeleteFunc(slices.Clone(t.Last(key)), isOther)
}

// List returns the results for all host names, sorted by name, IPv4 first.
func (t *Table) List() (list []Name) {
	for key := range t.hosts {
		list = append(list, *t.Name(key.Host, key.IPv6))
	}
	slices.SortFunc(list, func(a, b Name) int {
		return cmp.Or(strings.Compare(a.Host, b.Host),
			strings.Compare(strconv.FormatBool(a.IPv6), strconv.FormatBool(b.IPv6)))
	})
	return list
}
