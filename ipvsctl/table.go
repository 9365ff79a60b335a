// Package ipvsctl keeps a table of IPVS: reads it, computes what must change, and changes it, in the
// kernel or in memory.
package ipvsctl

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"ldirectord/lvs"
)

// Flags of a virtual service (linux/ip_vs.h: IP_VS_SVC_F_*), without the kernel's own bits.
type Flags uint32

// The flags an operator can set.
const (
	Persistent Flags = 0x0001
	OnePacket  Flags = 0x0004 // each packet is scheduled anew; for UDP and marks
	Sched1     Flags = 0x0008 // sh: fallback, mh: fallback
	Sched2     Flags = 0x0010 // sh: port, mh: port
	Sched3     Flags = 0x0020
)

// MaxTimeout is the maximum persistence in seconds, 31 days as in ipvsadm(8): the kernel counts it in
// ticks of 32 bits, which 1000 ticks a second would overflow after 49 days.
const MaxTimeout = 31 * 24 * 60 * 60

// Settings of a virtual service: what can be edited in place.
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

// stored is s as a table holds it: without persistence its timeout and granularity say nothing.
func (s Settings) stored(ipv6 bool) Settings {
	if s.Flags&Persistent == 0 {
		s.Timeout, s.Netmask = 0, EachClient(ipv6)
	}
	return s
}

// Leaver is a destination that is to leave the table when its connections have ended.
type Leaver struct {
	Key   lvs.Key
	Addr  netip.AddrPort
	Name  string    // address:port as it was configured
	Until time.Time // it goes then at the latest
	// it is in maintenance, and serves again when that ends: Until does not count
	Stays bool `json:",omitzero"`
}

// Service is a virtual service with its destinations.
type Service struct {
	Key      lvs.Key
	Settings Settings
	Dests    lvs.Dests
	Counters map[netip.AddrPort]lvs.Counters // of the destinations, when the table was read; nil: not counted
}

// Table is a whole table of IPVS.
type Table map[lvs.Key]Service

// Keys returns the keys in the order of Key.Compare.
func (t Table) Keys() []lvs.Key {
	return slices.SortedFunc(maps.Keys(t), lvs.Key.Compare)
}

// FirstPrivate and LastPrivate are the marks of private services: each has one destination, for checks of it alone.
const FirstPrivate, LastPrivate uint32 = 0x4c000000, 0x4cffffff

// PrivateService is one of them.
type PrivateService struct {
	Key  lvs.Key
	Dest lvs.Dest
}

// Private are the settings of a private service. The kernel keeps no connections of UDP to it.
var Private = Settings{Scheduler: "rr", Flags: OnePacket}

// isPrivate reports whether a service serves checks alone, whichever daemon made it.
func (s *Service) isPrivate() bool {
	return s.Key.Mark >= FirstPrivate && s.Key.Mark <= LastPrivate && s.Settings == Private.stored(s.Key.IPv6)
}

// OpKind says what an Op does.
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

// Op is one change of the table. Settings counts for AddService and EditService, Dest for the others.
type Op struct {
	Kind     OpKind
	Key      lvs.Key
	Settings Settings
	Dest     lvs.Dest
	Old      lvs.Dest // EditDest and DelDest made by Diff: what is there now
	New      bool     // AddService: it fails with EEXIST where there is one already
}

// Batch is how many changes of destinations the kernel gets in one send.
const Batch = 64

// Client reads and changes one table. It is not for several goroutines at once.
type Client interface {
	// Connect opens the table, else the first request does: that tells why it can't be opened.
	Connect(ctx context.Context) error
	// Read returns the whole table, also what is not ours, as a copy that the caller may keep. The kernel hands it
	// out in parts: an entry that others change meanwhile may be missing or show its old state. Private services
	// are left out: each would cost a request.
	Read(ctx context.Context) (Table, error)
	// Do makes changes, in their order, and returns the result of each: nil, or an *OpError. One that fails does
	// not stop those after it. An addition of what is there becomes an edit, and the removal of a service that is
	// gone succeeds. An edit of what is gone fails, and so does the removal of a destination that is gone, see
	// IsMissing. One call changes a destination once at most.
	Do(ctx context.Context, ops ...Op) []error
	// Services returns the destinations of these services and their counters; none of a service that is not there.
	// Where it fails, those services are missing that were not read yet.
	Services(ctx context.Context, keys ...lvs.Key) (Table, error)
	Close() error
}
