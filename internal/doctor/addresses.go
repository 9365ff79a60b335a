package doctor

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ldirectord/parser"
)

// primaryAddresses returns the machine's own addresses, as opposed to virtual addresses:
//   - loopback addresses
//   - on each interface, the oldest address of each family that has a network and is not link-local
//   - global IPv6 addresses with a lifetime, which a router or DHCP has given
//   - the source addresses of the default routes, except virtual IPv6 addresses
func primaryAddresses() ([]netip.Addr, error) {
	devices, err := devicesHere()
	if err != nil {
		return nil, err
	}
	var primary []netip.Addr
	for _, d := range devices {
		primary = append(primary, primaryOf(d.prefixes)...)
	}
	addrs, _ := netlink.AddrList(nil, netlink.FAMILY_V6) // none on a kernel without IPv6
	primary = append(primary, timed(addrs)...)
	out, _ := askRoute(routeQuery{to: client()}, devices) // no source without a default route
	out6, _ := askRoute(routeQuery{to: client6()}, devices)
	if isOwn(out6.source, addrs, primary) {
		primary = append(primary, out6.source)
	}
	return append(primary, out.source), nil
}

// timed returns the global addresses with a lifetime.
func timed(list []netlink.Addr) (addrs []netip.Addr) {
	for _, a := range list {
		if addr, ok := netip.AddrFromSlice(a.IP); ok && a.Scope == unix.RT_SCOPE_UNIVERSE &&
			a.Flags&unix.IFA_F_PERMANENT == 0 {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// isOwn reports whether the source of the IPv6 default route is the machine's own address. The source counts as virtual
// if it is deprecated, or if its interface also has a primary address.
func isOwn(source netip.Addr, list []netlink.Addr, primary []netip.Addr) bool {
	is := func(a netlink.Addr) bool { return a.IP.Equal(source.AsSlice()) }
	i := slices.IndexFunc(list, is)
	if i < 0 || list[i].Flags&unix.IFA_F_DEPRECATED != 0 {
		return false
	}
	return !slices.ContainsFunc(list, func(a netlink.Addr) bool {
		addr, _ := netip.AddrFromSlice(a.IP)
		return a.LinkIndex == list[i].LinkIndex && !addr.IsLoopback() && slices.Contains(primary, addr)
	})
}

// primaryOf finds the primary addresses of one interface. The kernel lists the oldest IPv4 address first and the oldest
// IPv6 address last.
func primaryOf(list []netip.Prefix) (primary []netip.Addr) {
	var first4, first6 netip.Addr
	for _, n := range list {
		addr := n.Addr()
		switch {
		case addr.IsLoopback():
			primary = append(primary, addr)
		case n.IsSingleIP() || addr.IsLinkLocalUnicast():
		case addr.Is4() && !first4.IsValid():
			first4 = addr
		case addr.Is6():
			first6 = addr
		}
	}
	for _, addr := range []netip.Addr{first4, first6} {
		if addr.IsValid() {
			primary = append(primary, addr)
		}
	}
	return primary
}

// JudgeMarks refuses marks that apply to all ports of the machine's own address, because IPVS would forward all packets
// for the machine itself, even those of ssh, to real servers.
func JudgeMarks(cfg *parser.Config) parser.Diagnostics {
	return judgeMarks(cfg, sync.OnceValues(primaryAddresses))
}

func judgeMarks(cfg *parser.Config, primary func() ([]netip.Addr, error)) parser.Diagnostics {
	var f findings
	for _, v := range cfg.Virtuals {
		for _, m := range v.Marking {
			if !m.AllPorts() {
				continue
			}
			own, err := primary()
			if err != nil {
				f.addAt(parser.Position{}, "own-address unread", err)
			}
			if i := slices.IndexFunc(own, m.Dest.Contains); i >= 0 {
				f.addAt(m.At, "own-address", own[i])
			}
		}
	}
	return f.diagnostics(cfg.Name)
}
