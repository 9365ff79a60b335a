package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ldirectord/internal/runfile"
	"ldirectord/internal/viavip"
)

// route is the route of packets to an address (ip route get).
type route struct {
	local   bool   // it ends on this machine
	device  string // "" when there is no route
	gateway bool   // through a router
	learned bool   // from a router advertisement
	mtu     int    // the largest packet in bytes; 0 if unknown
	source  netip.Addr
}

// noRoute lists the kernel's errors for an address without a route, or with a route of type unreachable, prohibit or
// blackhole.
var noRoute = []error{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EACCES, syscall.EINVAL}

// askRoute asks the kernel for a route (rtnetlink(7)). If there is none, it returns the zero route.
func askRoute(q routeQuery, devices []device) (route, error) {
	answer, err := netlink.RouteGetWithOptions(q.to.AsSlice(), &netlink.RouteGetOptions{Mark: q.mark})
	switch {
	case slices.ContainsFunc(noRoute, func(no error) bool { return errors.Is(err, no) }):
		return route{}, nil
	case err != nil:
		return route{}, fmt.Errorf("asking for the route to %s: %w", q.to, err)
	case len(answer) == 0 || answer[0].Type != unix.RTN_LOCAL && answer[0].Type != unix.RTN_UNICAST:
		return route{}, nil
	}
	best := answer[0]
	source, _ := netip.AddrFromSlice(best.Src)
	found := route{local: best.Type == unix.RTN_LOCAL, gateway: best.Gw != nil || best.Via != nil, mtu: best.MTU,
		learned: best.Protocol == unix.RTPROT_RA, source: source.Unmap()}
	for _, d := range devices {
		if d.Index == best.LinkIndex {
			found.device, found.mtu = d.Name, cmp.Or(best.MTU, d.MTU)
		}
	}
	return found, nil
}

// device is a network interface.
type device struct {
	net.Interface                // HardwareAddr is empty for lo and for IP tunnels
	prefixes      []netip.Prefix // addresses with their prefix lengths
	failed        []netip.Prefix // those that another machine has, so the kernel does not use them (dadfailed)
}

func (d device) is(flags net.Flags) bool { return d.Flags&flags == flags }

// has reports whether a device has an address, or any address of a network.
func (d device) has(p netip.Prefix) bool {
	return slices.ContainsFunc(d.prefixes, func(have netip.Prefix) bool { return p.Contains(have.Addr()) })
}

// isIn reports whether a device has the network of an address.
func (d device) isIn(addr netip.Addr) bool {
	inside := func(p netip.Prefix) bool { return !p.IsSingleIP() && p.Masked().Contains(addr) }
	return !d.is(net.FlagLoopback) && slices.ContainsFunc(d.prefixes, inside)
}

// devicesHere reads the interfaces.
func devicesHere() ([]device, error) {
	interfaces, err := net.Interfaces() // none with an error
	addrs := viavip.Addresses()
	var list []device
	for _, i := range interfaces {
		list = append(list, newDevice(i, addrs[i.Index]))
	}
	return list, runfile.While("reading the interfaces", err)
}

func newDevice(i net.Interface, addrs []viavip.Address) device {
	d := device{Interface: i}
	for _, a := range addrs {
		if a.Failed {
			d.failed = append(d.failed, a.Prefix)
		} else {
			d.prefixes = append(d.prefixes, a.Prefix)
		}
	}
	return d
}
