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

// refuses reports whether a name may not have an address.
func (n *names) refuses(key hostName, a netip.Addr) bool { return n.refused[a] && n.follows(key) }

func refusedOwn(a netip.Addr) string {
	return "the answer " + a.String() + " is refused, it is a virtual address of the file"
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
		if l.value.IsValid() && n.refuses(key, l.value) {
			*l = n.failed(key, refusedOwn(l.value))
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
