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

// Counters fails.
func (*Kernel) Counters(context.Context, Key) (map[netip.AddrPort]Counters, error) {
	return nil, &OpError{Op: "counters", Err: errors.ErrUnsupported}
}
