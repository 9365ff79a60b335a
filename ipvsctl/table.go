// Package ipvsctl keeps a table of IPVS: reads it, computes what must change, and changes it, in the
// kernel or in memory.
package ipvsctl

import (
	"context"
	"net/netip"
)

// Protocol of a virtual service, numbered as in the IP header; Mark is a firewall-mark service.
type Protocol uint8

// The protocols of ip_vs.h.
const (
	Mark Protocol = 0
	TCP  Protocol = 6
	UDP  Protocol = 17
	SCTP Protocol = 132
)

// Key identifies a virtual service: protocol, address and port, or family and mark.
type Key struct {
	Protocol Protocol
	Addr     netip.AddrPort // invalid for a mark
	Mark     uint32         // only for a mark
	IPv6     bool           // family; for an address it equals Addr's
}

// Flags of a virtual service (linux/ip_vs.h: IP_VS_SVC_F_*), without the kernel's own bits.
type Flags uint32

// The flags an operator can set.
const (
	Persistent Flags = 0x0001
	OnePacket  Flags = 0x0004
	Sched1     Flags = 0x0008 // sh: fallback, mh: fallback
	Sched2     Flags = 0x0010 // sh: port, mh: port
	Sched3     Flags = 0x0020
)

// Settings of a virtual service: what can be edited in place.
type Settings struct {
	Scheduler string
	Flags     Flags
	Timeout   uint32 // seconds of persistence; 0 when not persistent
	Netmask   uint32 // granularity of persistence: IPv4 a mask in host byte order (0xffffffff: each client), IPv6 a prefix length (128)
	PEName    string // persistence engine, "" for none
}

// Forward is the forwarding method (linux/ip_vs.h: IP_VS_CONN_F_*).
type Forward uint8

// The forwarding methods.
const (
	Masq   Forward = 0
	Local  Forward = 1 // what the kernel shows for a server on the director itself
	Tunnel Forward = 2
	Route  Forward = 3 // direct routing: gate
)

// Dest is a destination: a real server or a sorry server.
type Dest struct {
	Addr    netip.AddrPort
	Forward Forward
	Weight  uint32
	Upper   uint32 // connection thresholds, 0 for none
	Lower   uint32
}

// Service is a virtual service with its destinations by address.
type Service struct {
	Key      Key
	Settings Settings
	Dests    map[netip.AddrPort]Dest
}

// Table is a whole table of IPVS.
type Table map[Key]Service

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
	Key      Key
	Settings Settings
	Dest     Dest
	Old      Dest // EditDest and DelDest made by Diff: what stands there now
}

// Client reads and changes one table. It is not for several goroutines at once.
type Client interface {
	// Read returns the whole table, also what is not ours.
	Read(ctx context.Context) (Table, error)
	// Do makes one change. Its errors are *OpError; an addition of what is there becomes an edit, a
	// removal of what is gone succeeds.
	Do(ctx context.Context, op Op) error
	Close() error
}
