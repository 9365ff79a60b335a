package doctor

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ldirectord/parser"
)

// primaryAddresses returns the machine's own addresses, as opposed to virtual addresses. A loopback address, the first
// address with a network on an interface, and an address with a lifetime (given by a router or DHCP) are primary. The
// IPv4 source address of the default route is primary, too.
func primaryAddresses() ([]netip.Addr, error) {
	devices, err := devicesHere()
	if err != nil {
		return nil, err
	}
	var primary []netip.Addr
	for _, d := range devices {
		primary = append(primary, primaryOf(d.prefixes)...)
	}
	out, _ := askRoute(routeQuery{to: client()}, devices) // no source without a default route
	addrs, _ := netlink.AddrList(nil, netlink.FAMILY_V6)  // none on a kernel without IPv6
	return append(append(primary, out.source), timed(addrs)...), nil
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
