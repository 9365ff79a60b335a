package parser

import (
	"context"
	"net/netip"
)

// Resolver looks up names; the daemon gives the system's, tests give tables.
// It must be safe for use by several goroutines.
type Resolver interface {
	// Host returns the addresses of a host name in the wanted family, the first one counts.
	Host(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error)
	// Port returns the port of a service name; protocol is "tcp", "udp", or "" for the first entry of any.
	Port(ctx context.Context, service, protocol string) (uint16, error)
}

// Options are the ways out of the parser. The zero value resolves nothing and touches nothing.
type Options struct {
	Resolver Resolver                // nil: only numeric addresses and ports
	TryFile  func(path string) error // opens a log or monitor file for appending; nil: not tried
	TryRead  func(path string) error // opens a file of certificates or a key for reading; nil: not tried
	DirExist func(path string) bool  // is maintenancedir there; nil: not asked
	HostName string                  // of this machine, in the default log-ins of ftp and sip
	Strict   bool                    // refuse the layouts that the reference refuses
}
