package lvs

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
)

// Flags are the flags of a virtual service (linux/ip_vs.h: IP_VS_SVC_F_*), without the kernel's own bits.
type Flags uint32

// The flags an operator can set.
const (
	Persistent Flags = 0x0001
	OnePacket  Flags = 0x0004 // each packet is scheduled on its own; for UDP and marks
	Sched1     Flags = 0x0008 // sh: fallback, mh: fallback
	Sched2     Flags = 0x0010 // sh: port, mh: port
	Sched3     Flags = 0x0020
)

// MaxTimeout is the maximum persistence in seconds, 31 days as in ipvsadm(8). The kernel counts ticks in 32 bits, which
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

// EachClient returns the Netmask that distinguishes all clients: for IPv4 a mask in host byte order, for IPv6 a prefix
// length.
func EachClient(ipv6 bool) uint32 {
	if ipv6 {
		return 128
	}
	return 0xffffffff
}

// Masked returns a client's address as persistence remembers it.
func (s Settings) Masked(client netip.Addr) netip.Addr {
	if client.Is6() {
		p, _ := client.Prefix(int(min(s.Netmask, 128))) // fails only above 128
		return p.Addr()
	}
	four := client.As4()
	binary.BigEndian.PutUint32(four[:], binary.BigEndian.Uint32(four[:])&s.Netmask)
	return netip.AddrFrom4(four)
}

// Stored returns s as the table stores it: without persistence, the timeout is 0 and the granularity is EachClient.
func (s Settings) Stored(ipv6 bool) Settings {
	if s.Flags&Persistent == 0 {
		s.Timeout, s.Netmask = 0, EachClient(ipv6)
	}
	return s
}

// VirtualService is a virtual service with its destinations.
type VirtualService struct {
	Key      Key
	Settings Settings
	Dests    Dests
	// counters of the destinations, as read with the table; nil if they were not read
	Counters map[netip.AddrPort]Counters
}

// Table is a whole table of IPVS.
type Table map[Key]VirtualService

// Keys returns the keys in the order of Key.Compare.
func (t Table) Keys() []Key {
	return slices.SortedFunc(maps.Keys(t), Key.Compare)
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

// Op is one change of the table. AddService and EditService use Settings, changes of destinations use Dest.
type Op struct {
	Kind     OpKind
	Key      Key
	Settings Settings
	Dest     Dest
	Old      Dest // in an EditDest or DelDest of Diff: the current destination
	New      bool // for AddService: fail with EEXIST if the service exists
}

// Batch is the number of changes that are sent to the kernel at once.
const Batch = 64
