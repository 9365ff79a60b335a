// Package ipvsctl keeps a table of IPVS: reads it, computes what must change, and changes it, in the
// kernel or in memory.
package ipvsctl

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	"ldirectord/lvs"
)

// Flags of a virtual service (linux/ip_vs.h: IP_VS_SVC_F_*), without the kernel's own bits.
type Flags uint32

// The flags an operator can set.
const (
	Persistent Flags = 0x0001
	OnePacket  Flags = 0x0004 // each packet is scheduled on its own; for UDP and marks
	Sched1     Flags = 0x0008 // sh: fallback, mh: fallback
	Sched2     Flags = 0x0010 // sh: port, mh: port
	Sched3     Flags = 0x0020
)

// MaxTimeout is the maximum persistence in seconds, 31 days as in ipvsadm(8): the kernel counts ticks in 32 bits, which
// overflow after 49 days at 1000 ticks a second.
const MaxTimeout = 31 * 24 * 60 * 60

// Settings are the parts of a virtual service that can be edited in place.
type Settings struct {
	Scheduler string
	Flags     Flags
	Timeout   uint32 // seconds of persistence, 1 to MaxTimeout; not used when not Persistent
	Netmask   uint32 // granularity of persistence, see EachClient; not used when not Persistent
	PEName    string // persistence engine, "" for none
}

// EachClient is the Netmask that tells every client from every other: for IPv4 a mask in host byte order,
// for IPv6 a prefix length.
func EachClient(ipv6 bool) uint32 {
	if ipv6 {
		return 128
	}
	return 0xffffffff
}

// stored is s in the form of a table: without persistence, timeout and granularity are 0.
func (s Settings) stored(ipv6 bool) Settings {
	if s.Flags&Persistent == 0 {
		s.Timeout, s.Netmask = 0, EachClient(ipv6)
	}
	return s
}

// Service is a virtual service with its destinations.
type Service struct {
	Key      lvs.Key
	Settings Settings
	Dests    lvs.Dests
	// counters of the destinations, from the reading of the table; nil: none
	Counters map[netip.AddrPort]lvs.Counters
}

// Table is a whole table of IPVS.
type Table map[lvs.Key]Service

// Keys returns the keys in the order of Key.Compare.
func (t Table) Keys() []lvs.Key {
	return slices.SortedFunc(maps.Keys(t), lvs.Key.Compare)
}

// FirstPrivate and LastPrivate are the marks of private services: each has one destination, for checks of it alone.
const FirstPrivate, LastPrivate uint32 = 0x4c000000, 0x4cffffff

// PrivateService returns one private service.
type PrivateService struct {
	Key  lvs.Key
	Dest lvs.Dest
}

// Private are the settings of a private service. The kernel keeps no connections of UDP to it.
var Private = Settings{Scheduler: "rr", Flags: OnePacket}

// isPrivate reports whether a service is only for checks, of any daemon.
func (s *Service) isPrivate() bool {
	return s.Key.Mark >= FirstPrivate && s.Key.Mark <= LastPrivate && s.Settings == Private.stored(s.Key.IPv6)
}

// OpKind is the kind of an Op.
type OpKind uint8

// The operations on a table.
const (
	AddService OpKind = iota
	EditService
	DelService // with all its destinations
	AddDest
	EditDest
	DelDest
)

// Op is one change of the table. Settings is for AddService and EditService, Dest for the others.
type Op struct {
	Kind     OpKind
	Key      lvs.Key
	Settings Settings
	Dest     lvs.Dest
	Old      lvs.Dest // in an EditDest or DelDest of Diff: the current destination
	New      bool     // AddService: it fails with EEXIST if the service exists
}

// Batch is how many changes of destinations the kernel gets in one send.
const Batch = 64

// Client reads and changes one table. It is not for several goroutines at once.
type Client interface {
	// Connect opens the table and returns why it can't; without it the first request opens the table.
	Connect(ctx context.Context) error
	// Read returns the whole table, including services of other programs, as a copy that the caller may keep. The
	// kernel hands it out in parts: an entry that others change meanwhile may be missing or show its old state.
	// Private services are left out: each would cost a request.
	Read(ctx context.Context) (Table, error)
	// Do makes changes, in their order, and returns the result of each: nil, or an *OpError. A failed change does
	// not stop later ones. An addition of an existing entry becomes an edit, and the removal of a missing service
	// succeeds. An edit of a missing entry fails, and so does the removal of a missing destination, see IsMissing.
	// One call changes a destination at most once.
	Do(ctx context.Context, ops ...Op) []error
	// Services returns the destinations of these services with their counters; none for a missing service. After an
	// error it lacks the services that were not read yet.
	Services(ctx context.Context, keys ...lvs.Key) (Table, error)
	// Timeouts changes the timeouts of idle connections, and returns those before. Without an order it only reads
	// them.
	Timeouts(ctx context.Context, order lvs.Timeouts) (was lvs.Timeouts, err error)
	Close() error
}
