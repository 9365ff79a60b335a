package announce

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
)

const (
	answerTime  = 5 * time.Second // the time limit for one answer of the kernel
	maxReads    = 5               // tries to read a list that changes meanwhile
	ourLabel    = ":ldir"
	ourProtocol = 77 // the protocol of our routes (rtm_protocol), unused in iproute2's rt_protos
	loopback    = 1  // the index of lo in every network namespace
)

// kernel sends requests to rtnetlink(7).
type kernel interface {
	LinkList() ([]netlink.Link, error)
	AddrList(netlink.Link, int) ([]netlink.Addr, error)
	AddrAdd(netlink.Link, *netlink.Addr) error
	AddrDel(netlink.Link, *netlink.Addr) error
	RouteListFiltered(family int, filter *netlink.Route, mask uint64) ([]netlink.Route, error)
	RouteAppend(*netlink.Route) error
	RouteDel(*netlink.Route) error
	Close()
}

func openKernel() (kernel, error) {
	k, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err == nil {
		err = k.SetSocketTimeout(answerTime)
		// with this the kernel lists only our routes; before Linux 4.20 it can't
		_ = k.SetStrictCheck(true)
	}
	return k, runfile.While("opening a socket for addresses", err)
}

// state is the kernel's current state.
type state struct {
	devices map[string]device     // by name
	routed  map[netip.Prefix]bool // the addresses with our local route
}

type device struct {
	index     int // 0: no such device
	up, dummy bool
	held      map[netip.Addr][]netlink.Addr // several if their prefix lengths differ
}

// unfit returns an error if announced addresses can't be put on a device, and the command that fixes this, if any.
func (d device) unfit(name string) (command string, err error) {
	up := fmt.Sprintf("ip link set %s up", name)
	switch {
	case d.index == 0:
		return fmt.Sprintf("ip link add %s type dummy && %s", name, up), fmt.Errorf("device %s is missing",
			name)
	case !d.dummy: // a card would answer ARP for the address
		return "", fmt.Errorf("device %s is not a dummy device", name)
	case !d.up:
		return up, fmt.Errorf("device %s is down", name)
	}
	return "", nil
}

func readState(k kernel) (state, error) {
	var links []netlink.Link
	var held []netlink.Addr
	var routes []netlink.Route
	ours := &netlink.Route{Table: unix.RT_TABLE_LOCAL, Protocol: ourProtocol, Type: unix.RTN_LOCAL}
	var err error = netlink.ErrDumpInterrupted
	for try := 0; try < maxReads && errors.Is(err, netlink.ErrDumpInterrupted); try++ {
		var noLinks, noAddrs, noRoutes error
		links, noLinks = k.LinkList()
		held, noAddrs = k.AddrList(nil, netlink.FAMILY_ALL)
		routes, noRoutes = k.RouteListFiltered(netlink.FAMILY_ALL, ours,
			netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TYPE)
		err = cmp.Or(noLinks, noAddrs, noRoutes)
	}
	s := state{map[string]device{}, map[netip.Prefix]bool{}}
	on := map[int]map[netip.Addr][]netlink.Addr{} // by device
	for _, l := range links {
		d := l.Attrs()
		on[d.Index] = map[netip.Addr][]netlink.Addr{}
		s.devices[d.Name] = device{d.Index, d.Flags&net.FlagUp != 0, l.Type() == "dummy", on[d.Index]}
	}
	for _, h := range held {
		if here, addr := on[h.LinkIndex], prefixOf(h.IPNet).Addr(); here != nil {
			here[addr] = append(here[addr], h)
		}
	}
	for _, r := range routes {
		s.routed[prefixOf(r.Dst)] = true
	}
	return s, runfile.While("reading devices and addresses", err)
}

// find looks for an address on its devices. at is a device that is up and on which we put the address. ours has the
// address for each device on which we put it. foreign is a device on which another program put it.
func (s state) find(w lvs.Wanted, recorded []string) (at string, ours map[string]netlink.Addr, foreign string) {
	ours = map[string]netlink.Addr{}
	for _, name := range sorted(w.Devices, recorded) {
		for _, h := range s.devices[name].held[w.Addr] {
			switch {
			case isOurs(h) || isQuiet(h) && slices.Contains(recorded, name):
				if ours[name] = h; s.devices[name].up {
					at = name
				}
			default:
				foreign = name
			}
		}
	}
	return at, ours, foreign
}

// prefixOf returns n as a prefix, or the zero Prefix if n is nil, as for a default route.
func prefixOf(n *net.IPNet) netip.Prefix {
	if n == nil {
		return netip.Prefix{}
	}
	addr, _ := netip.AddrFromSlice(n.IP)
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), bits)
}

// isOurs reports whether an address has our label. IPv6 addresses have no label.
func isOurs(h netlink.Addr) bool { return strings.HasSuffix(h.Label, ourLabel) }

// isQuiet reports whether an address could be one of our IPv6 addresses, by the properties that addressOn sets.
func isQuiet(h netlink.Addr) bool {
	p := prefixOf(h.IPNet)
	return p.Addr().Is6() && p.IsSingleIP() && h.PreferedLft == 0
}

// hasRoute reports whether an address has our local route.
func (s state) hasRoute(addr netip.Addr) bool { return s.routed[netip.PrefixFrom(addr, addr.BitLen())] }

// forever is the lifetime of an address that doesn't expire, in seconds. 32-bit machines can't express it: there, it is
// 68 years.
const forever = min(math.MaxUint32, math.MaxInt)

// addressOn returns the address as it is added to its device. An IPv4 address gets no broadcast address: FRR would keep
// an address that has one, even after its removal from the device. A label has at most 15 bytes. An IPv6 address skips
// duplicate address detection. It is preferred for 0 seconds, so that the kernel does not choose it as the source of
// this machine's own packets.
func addressOn(d device, w lvs.Wanted) *netlink.Addr {
	h := &netlink.Addr{IPNet: single(w.Addr), LinkIndex: d.index}
	if w.Addr.Is4() {
		h.Label = w.Device[:min(len(w.Device), unix.IFNAMSIZ-1-len(ourLabel))] + ourLabel
	} else {
		h.Flags, h.ValidLft = unix.IFA_F_NODAD, forever
	}
	return h
}

// localRoute returns the route that delivers packets for an address locally, like the route that the kernel adds for an
// address of lo.
func localRoute(addr netip.Addr) *netlink.Route {
	return &netlink.Route{Dst: single(addr), LinkIndex: loopback, Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL,
		Scope: netlink.SCOPE_HOST, Protocol: ourProtocol}
}

func single(addr netip.Addr) *net.IPNet { return netlink.NewIPNet(addr.AsSlice()) }
