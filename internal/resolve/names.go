// Package resolve looks up the host and service names of a configuration: each name once, and all within a deadline. It
// keeps the last answers in a file, and looks names up again while the daemon is running. answers.go decides which
// answers are accepted; lookup.go has the time limits, and decides which address of an answer is used.
package resolve

import (
	"context"
	"errors"
	"net/netip"
	"slices"
)

// Resolver looks up names. The daemon uses the resolver of the system, and tests use tables. A Resolver must be safe
// for use by several goroutines.
type Resolver interface {
	// Host returns the addresses of a host name in the desired family. The first address is preferred.
	Host(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error)
	// Port returns the port of a service name. The protocol is "tcp", "udp", or "" for the first entry with any
	// protocol.
	Port(ctx context.Context, service, protocol string) (uint16, error)
}

// ErrNoName means that a name does not exist. A Resolver returns it only if that counts as an answer without addresses,
// and not as a failure.
var ErrNoName = errors.New("the name does not exist")

// Last returns the address that a host name had at its last look-up, followed by the addresses of Name.Earlier. If the
// name never had an address, it returns none. It may return addresses of both families; the other family's are ignored.
type Last func(Key) []netip.Addr

// Source says where answers come from.
type Source struct {
	Resolver Resolver // nil: only numeric addresses and ports
	// finds the last addresses of a host name. If the look-up fails, the first is used, with a warning. nil: none
	// is known
	Last Last
	Own  func(netip.Addr) bool // whether an address belongs to this machine; nil: not tested
}

// Key is a host name and the family in which it is looked up.
type Key struct {
	Host string
	IPv6 bool
}

// Name is a host name with the result of its look-up.
type Name struct {
	Key
	Addr netip.Addr // invalid: none. If Why is set, it is the last known one
	Why  string     // why the look-up failed; "" if it did not

	Followed bool // it is looked up again, see Table.Again
	// its earlier addresses at which servers may still be in service, latest first; none unless Followed
	Earlier []netip.Addr
}

// addrs returns the addresses of a name, the current one first.
func (n Name) addrs() []netip.Addr { return append([]netip.Addr{n.Addr}, n.Earlier...) }

// Known maps keys to their names.
type Known map[Key]Name

// Index returns the names of a list as Known.
func Index(list []Name) Known {
	k := make(Known, len(list))
	for _, n := range list {
		k[n.Key] = n
	}
	return k
}

// Last returns a function that returns the current and earlier addresses of a known name that has an address. For other
// names the function calls otherwise.
func (k Known) Last(otherwise Last) Last {
	return func(key Key) []netip.Addr {
		if n := k[key]; n.Addr.IsValid() {
			return n.addrs()
		}
		return otherwise(key)
	}
}

// Unanswered returns the names whose look-up failed.
func Unanswered(list []Name) []Name {
	return slices.DeleteFunc(slices.Clone(list), func(n Name) bool { return n.Why == "" })
}

// Followed returns the names that are looked up again although they have an answer.
func Followed(list []Name) []Name {
	return slices.DeleteFunc(slices.Clone(list), func(n Name) bool { return n.Why != "" || !n.Followed })
}
