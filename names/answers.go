package parser

import (
	"net/netip"
	"slices"
)

// This file is about names that are looked up again while the daemon runs, see Global.Resolve.

// role is what a name is used for.
type role uint8

const (
	ofReal    role = 1 << iota // a line of one real server
	ofRange                    // a range, whose addresses stay what they were
	ofVirtual                  // a virtual service, whose address stays as well
)

// note notes what texts are used for, those of them that are names. Only names that may be looked up again need it.
func (n *names) note(ipv6 bool, r role, texts ...string) {
	if !n.stay {
		return
	}
	for _, text := range texts {
		n.host(text, ipv6)
		if key := (hostName{text, ipv6}); n.hosts[key] != nil {
			n.roles[key] |= r
		}
	}
}

// follows reports whether a name is looked up again.
func (n *names) follows(key hostName) bool { return n.stay && n.roles[key] == ofReal }

// earlier are the addresses that a name had before the one it has now.
func (n *names) earlier(key hostName) []netip.Addr {
	if !n.follows(key) {
		return nil
	}
	return slices.DeleteFunc(n.lastOf(key), func(a netip.Addr) bool { return a == n.hosts[key].value })
}

// refusal is why a name may not have an address; "" when it may. One that is looked up again leads to this machine only
// where it did so when it was read.
func (n *names) refusal(key hostName, a netip.Addr) string {
	what := noHost(a)
	if last := n.lastOf(key); what == "" && n.follows(key) {
		switch {
		case n.refused[a]:
			what = "a virtual address of the file"
		case slices.Contains(last, a), !n.again && (len(last) == 0 || n.near(last[0]) != ""):
		default:
			what = n.near(a)
		}
	}
	if what != "" {
		what = "the answer " + a.String() + " is refused, it is " + what
	}
	return what
}

// near is how an address leads to this machine, or to no other network; "" for others.
func (n *names) near(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "a loopback address"
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	case n.Own != nil && n.Own(a):
		return "an address of this machine"
	}
	return ""
}

// noHost is what an address is that no server can have; "" for others. The kernel's table refuses it.
func noHost(a netip.Addr) string {
	switch {
	case a.IsUnspecified():
		return "no address of a host"
	case a.IsMulticast():
		return "a multicast address"
	case a == netip.MustParseAddr("255.255.255.255"):
		return "the broadcast address"
	case a.Is6() && a.IsLinkLocalUnicast():
		return "a link-local address, and IPVS knows no scope"
	}
	return ""
}

// refuseOwn takes back the answers that lead a real server to a virtual address of the configuration: packets for it
// would come back. The addresses of the virtual services are known by now.
func (n *names) refuseOwn(cfg *Config) {
	if !n.stay {
		return
	}
	n.refused = cfg.ownAddresses()
	for key, r := range n.roles {
		if r&ofVirtual != 0 {
			n.refused[n.hosts[key].value] = true
		}
	}
	for key, l := range n.hosts {
		if why := n.refusal(key, l.value); l.value.IsValid() && why != "" {
			*l = n.failed(key, why)
		}
	}
}

// ownAddresses are those that packets for the virtual services go to.
func (c *Config) ownAddresses() map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	for i := range c.Virtuals {
		for _, p := range c.Virtuals[i].Addresses() {
			own[p.Addr()] = own[p.Addr()] || p.IsSingleIP()
		}
	}
	return own
}
