package doctor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// route is how packets get to an address (ip route get).
type route struct {
	local   bool   // it ends on this machine
	device  string // "" when there is no route
	gateway bool   // by a router
	mtu     int    // max bytes of a packet, 0 when not known
	source  netip.Addr
}

// router asks the kernel for routes (rtnetlink(7)).
type router struct {
	kernel  *netlink.Handle
	devices []device
}

func openRouter(devices []device) (*router, error) {
	kernel, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening a socket for routes: %w", err)
	}
	if err := kernel.SetSocketTimeout(probeTime); err != nil {
		kernel.Close()
		return nil, fmt.Errorf("opening a socket for routes: %w", err)
	}
	return &router{kernel, devices}, nil
}

func (r *router) close() { r.kernel.Close() }

// noRoute are the kernel's errors for an address without a route: there is none, or it is unreachable, prohibit or
// blackhole.
var noRoute = []error{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EACCES, syscall.EINVAL}

// to returns the route of packets with a firewall mark, 0 for none. No route is the zero route.
func (r *router) to(addr netip.Addr, mark uint32) (route, error) {
	answer, err := r.kernel.RouteGetWithOptions(addr.AsSlice(), &netlink.RouteGetOptions{Mark: mark})
	switch {
	case slices.ContainsFunc(noRoute, func(no error) bool { return errors.Is(err, no) }):
		return route{}, nil
	case err != nil:
		return route{}, fmt.Errorf("asking for the route to %s: %w", addr, err)
	case len(answer) == 0 || answer[0].Type != unix.RTN_LOCAL && answer[0].Type != unix.RTN_UNICAST:
		return route{}, nil
	}
	best := answer[0]
	found := route{local: best.Type == unix.RTN_LOCAL, gateway: best.Gw != nil || best.Via != nil}
	found.source, _ = netip.AddrFromSlice(best.Src)
	found.source = found.source.Unmap()
	for _, d := range r.devices {
		if d.Index == best.LinkIndex {
			found.device, found.mtu = d.Name, d.MTU
		}
	}
	if best.MTU > 0 {
		found.mtu = best.MTU
	}
	return found, nil
}

// device is a network interface.
type device struct {
	net.Interface                // its HardwareAddr is empty where there is no ARP
	prefixes      []netip.Prefix // addresses with the lengths of their networks
}

func (d device) is(flag net.Flags) bool { return d.Flags&flag != 0 }

// has reports whether a device has an address, or one of a network.
func (d device) has(p netip.Prefix) bool {
	return slices.ContainsFunc(d.prefixes, func(have netip.Prefix) bool { return p.Contains(have.Addr()) })
}

// devicesHere reads the interfaces.
func devicesHere() ([]device, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("reading the interfaces: %w", err)
	}
	var list []device
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue // it has gone
		}
		list = append(list, device{i, networks(addrs)})
	}
	return list, nil
}

// networks are addresses with the length of their network.
func networks(list []net.Addr) (all []netip.Prefix) {
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p)
		}
	}
	return all
}
