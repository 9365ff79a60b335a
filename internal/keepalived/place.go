package keepalived

import (
	"cmp"
	"net/netip"
	"strings"
)

// maxServices limits the virtual services of a group.
const maxServices = 4096

// place is where clients connect to: an address with a port, or a firewall mark.
type place struct {
	header string // of the section
	six    string // 6 for IPv6
}

// places are those of a virtual server: one, or those of its group.
func (c *converter) places(s *statement, own *scope) (all []place) {
	entries := []*statement{{at: s.at, words: append(s.words[1:], "")}}
	if s.arg(1) == "group" {
		entries = c.groups[s.arg(2)]
	}
	markSix := ""
	if own.text("ip_family") == "inet6" || strings.Contains(own.text("real_server"), ":") {
		markSix = "6"
	}
	for _, e := range entries {
		all = append(all, c.entry(e, markSix)...)
	}
	if len(all) == 0 || len(all) > maxServices {
		c.fail(s, "1 to %d addresses or firewall marks", maxServices)
	}
	return all
}

// entry reads a firewall mark, or an address, a network or a range of addresses, with a port.
func (c *converter) entry(s *statement, markSix string) (all []place) {
	if s.name() == "fwmark" {
		if s.arg(2) == "inet6" {
			markSix = "6"
		}
		return []place{{"virtual" + markSix + " = " + s.arg(1), markSix}}
	}
	from, to, isRange := strings.Cut(s.name(), "-")
	if isRange && !strings.ContainsAny(to, ".:") {
		to = from[:strings.LastIndexAny(from, ".:")+1] + to
	}
	first, _ := netip.ParseAddr(from)
	last, _ := netip.ParseAddr(cmp.Or(to, from))
	network, err := netip.ParsePrefix(from)
	if err == nil {
		first = network.Masked().Addr()
	}
	for a := first; len(all) <= maxServices && a.IsValid() && (network.Contains(a) || !last.Less(a)); a = a.Next() {
		all = append(all, place{"virtual" + six(a) + " = " + host(a, cmp.Or(s.arg(1), "0")), six(a)})
	}
	if all == nil || last.BitLen() != first.BitLen() && err != nil {
		c.fail(s, "an address, a network, or the first and the last address of a range")
	}
	return all
}
