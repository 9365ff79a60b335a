// Package resolve looks up the host and service names of a configuration, each once and all of them within a deadline.
// It keeps the last answer in a file, and looks names up again while the daemon runs.
package resolve

import (
	"context"
	"errors"
	"net/netip"
	"slices"
)

// Resolver looks up names; the daemon gives the system's, tests give tables.
// It must be safe for use by several goroutines.
type Resolver interface {
	// Host returns the addresses of a host name in the desired family, the first one counts.
	Host(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error)
	// Port returns the port of a service name; protocol is "tcp", "udp", or "" for the first entry with any
	// protocol.
	Port(ctx context.Context, service, protocol string) (uint16, error)
}

// ErrNoName is the answer that a name does not exist, where that counts as an answer without addresses.
var ErrNoName = errors.New("the name does not exist")

// Last returns the address that a host name had when it was looked up last, and after it those of Name.Earlier. There
// are none when it has never had one. Addresses of the other family don't count.
type Last func(Key) []netip.Addr

// Source is where answers come from.
type Source struct {
	Resolver Resolver // nil: only numeric addresses and ports
	// counts, with a warning, where the look-up of a host name fails; nil: nothing is known
	Last Last
	Own  func(netip.Addr) bool // is it an address of this machine; nil: not tested
}

// Key identifies a host name: it is looked up in one family.
type Key struct {
	Host string
	IPv6 bool
}

// Name is a host name with the result of its look-up.
type Name struct {
	Key
	Addr netip.Addr // not valid: there is none. With Why it is the last one that is known
	Why  string     // the look-up failed; "" when it did not

	Followed bool // it is looked up again, see Table.Again
	// its earlier addresses, the latest first: a server there may still be in service; none unless Followed
	Earlier []netip.Addr
}

// addrs are the addresses of a name, the present one first.
func (n Name) addrs() []netip.Addr { return append([]netip.Addr{n.Addr}, n.Earlier...) }

// Known are names by what identifies them.
type Known map[Key]Name

// Index makes them of a list.
func Index(list []Name) Known {
	k := make(Known, len(list))
	for _, n := range list {
		k[n.Key] = n
	}
	return k
}

// Last returns the addresses that names have or had. Other names are passed to otherwise.
func (k Known) Last(otherwise Last) Last {
	return func(key Key) []netip.Addr {
		if n := k[key]; n.Addr.IsValid() {
			return n.addrs()
		}
		return otherwise(key)
	}
}

// Unanswered are the names whose look-up failed.
func Unanswered(list []Name) []Name {
	return slices.DeleteFunc(slices.Clone(list), func(n Name) bool { return n.Why == "" })
}

// Followed are the names that are looked up again although they have an answer.
func Followed(list []Name) []Name {
	return slices.DeleteFunc(slices.Clone(list), func(n Name) bool { return n.Why != "" || !n.Followed })
}
