//go:build !linux

package ipvsctl

import (
	"context"
	"errors"
	"net/netip"
)

// Kernel is the kernel's table. Only Linux has one: there is no Kernel here.
type Kernel struct{ Client }

// Open fails.
func Open(context.Context) (*Kernel, error) {
	return nil, &OpError{Op: "open", Err: errors.ErrUnsupported, Hint: "IPVS is a part of Linux"}
}

// Connections fails.
func (*Kernel) Connections(context.Context, Key) (map[netip.AddrPort]Connections, error) {
	return nil, &OpError{Op: "connections", Err: errors.ErrUnsupported}
}
