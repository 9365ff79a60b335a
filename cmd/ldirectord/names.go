package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// systemNames looks names up as the system does: hosts file, resolver, services database.
type systemNames struct{}

// Host returns the addresses of a host name in one family.
func (systemNames) Host(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	network := "ip4"
	if ipv6 {
		network = "ip6"
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, network, name)
	var failed *net.DNSError
	switch {
	case errors.As(err, &failed) && failed.Server != "": // without the name, which whoever tells it knows
		return nil, fmt.Errorf("%s (asked %s)", failed.Err, failed.Server)
	case err != nil:
		return nil, err
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, nil
}

// Port returns the port of a service name; without a protocol, that of any.
func (systemNames) Port(ctx context.Context, service, protocol string) (uint16, error) {
	protocols := []string{protocol}
	if protocol == "" {
		protocols = []string{"tcp", "udp"}
	}
	var last error
	for _, p := range protocols {
		port, err := net.DefaultResolver.LookupPort(ctx, p, service)
		if err == nil {
			return uint16(port), nil
		}
		last = err
	}
	return 0, fmt.Errorf("service %q: %w", service, last)
}
