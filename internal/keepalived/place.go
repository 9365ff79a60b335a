package keepalived

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
)

// maxServices limits the virtual services of a group.
const maxServices = 4096

// place is where clients connect to: an address with a port, or a firewall mark.
type place struct {
	address netip.Addr
	port    uint16
	mark    uint64
	ipv6    bool
}

// six is 6 at the end of words for IPv6.
func (p place) six() string {
	if p.ipv6 {
		return "6"
	}
	return ""
}

func (p place) header() string {
	if p.mark > 0 {
		return fmt.Sprintf("virtual%s = %d", p.six(), p.mark)
	}
	return fmt.Sprintf("virtual%s = %v", p.six(), netip.AddrPortFrom(p.address, p.port))
}

// places are those of a virtual server: one, or those of its group. A mark is of IPv6 if its line says so or its first
// real server is.
func (c *converter) places(s *statement, own *scope) []place {
	ipv6 := own.text("", "ip_family") == "inet6"
	if real := own.find("real_server"); real != nil && !ipv6 {
		address, _ := c.endpoint(real, 1)
		ipv6 = address.Is6()
	}
	switch s.arg(1) {
	case "fwmark":
		return []place{c.mark(s, 2, ipv6)}
	case "group":
		group := c.groups[s.arg(2)]
		if group == nil {
			c.fail(s.at(), "there is no virtual_server_group %q", s.arg(2))
			return nil
		}
		var all []place
		for _, entry := range group.block {
			all = append(all, c.entry(entry, ipv6)...)
		}
		if len(all) == 0 || len(all) > maxServices {
			c.fail(group.at(), "a virtual_server_group has 1 to %d virtual services, this one %d", maxServices,
				len(all))
		}
		return all
	default:
		address, port := c.endpoint(s, 1)
		return []place{{address: address, port: port, ipv6: address.Is6()}}
	}
}

func (c *converter) mark(s *statement, at int, ipv6 bool) place {
	mark := c.number(&statement{words: s.words[min(at, len(s.words))-1:]}, 0, math.MaxUint32)
	if mark == 0 {
		c.fail(s.at(), "a firewall mark must be a number from 1 to %d", uint32(math.MaxUint32))
	}
	return place{mark: mark, ipv6: ipv6 || s.arg(at+1) == "inet6"}
}

// entry reads a line of a group.
func (c *converter) entry(s *statement, ipv6 bool) (all []place) {
	if s.name() == "fwmark" {
		return []place{c.mark(s, 1, ipv6)}
	}
	first, last, err := bounds(s.name())
	if err != nil {
		c.fail(s.at(), "%q must be an address, or a range of addresses: %v", s.name(), err)
		return nil
	}
	port := c.port(s, 1)
	for a := first; a.IsValid() && a.Compare(last) <= 0 && len(all) <= maxServices; a = a.Next() {
		all = append(all, place{address: a, port: port, ipv6: a.Is6()})
	}
	return all
}

// bounds are the first and the last address of one, of a network, or of a range, whose end may be the last part of an
// address alone.
func bounds(text string) (first, last netip.Addr, err error) {
	if strings.Contains(text, "/") {
		network, err := netip.ParsePrefix(text)
		if err == nil && network != network.Masked() {
			err = fmt.Errorf("%v is the network", network.Masked())
		}
		return network.Addr(), lastOf(network), err
	}
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	} else if !strings.ContainsAny(to, ".:") {
		to = from[:strings.LastIndexAny(from, ".:")+1] + to
	}
	if first, err = netip.ParseAddr(from); err != nil {
		return first, last, err
	}
	if last, err = netip.ParseAddr(to); err == nil && (last.Is4() != first.Is4() || last.Less(first)) {
		err = fmt.Errorf("its end is before its beginning")
	}
	return first, last, err
}

// lastOf is the last address of a network.
func lastOf(network netip.Prefix) netip.Addr {
	bytes := network.Addr().AsSlice()
	for i := network.Bits(); i >= 0 && i < len(bytes)*8; i++ {
		bytes[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}
