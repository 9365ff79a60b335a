package resolve

import (
	"net/netip"
	"slices"
)

// This file decides which answers are accepted.

// Role says how a configuration uses a name.
type Role uint8

const (
	OfReal    Role = 1 << iota // a line of one real server
	OfRange                    // a range, whose addresses never change
	OfVirtual                  // a virtual service, whose address never changes either
)

// Use adds a role to each of the texts that was noted as a name.
func (t *Table) Use(r Role, ipv6 bool, texts ...string) {
	for _, text := range texts {
		if key := (Key{text, ipv6}); t.hosts[key] != nil {
			t.roles[key] |= r
		}
	}
}

// follows reports whether a name is followed: looked up again after it has an answer. That is so if Again is set, and
// only lines of single real servers use the name.
func (t *Table) follows(key Key) bool { return t.Again && t.roles[key] == OfReal }

// earlier returns the former addresses of a name that is looked up again.
func (t *Table) earlier(key Key) []netip.Addr {
	if !t.follows(key) {
		return nil
	}
	return slices.DeleteFunc(t.lastOf(key), func(a netip.Addr) bool { return a == t.hosts[key].Value })
}

// refusal returns the reason why an address is refused for a name, or "" if it is accepted. A followed name must not
// lead to a virtual address of the file. It may lead to this machine, or to a link-local address, only if it had that
// address before. When the file is read, such an address is also accepted if the name has no last address, or if its
// last address was of this kind.
func (t *Table) refusal(key Key, a netip.Addr) string {
	what := NoHost(a)
	if last := t.lastOf(key); what == "" && t.follows(key) {
		switch {
		case t.refused[a]:
			what = "a virtual address of the file"
		case slices.Contains(last, a), !t.read && (len(last) == 0 || t.near(last[0]) != ""):
		default:
			what = t.near(a)
		}
	}
	if what != "" {
		what = "the answer " + a.String() + " is refused because it is " + what
	}
	return what
}

// near describes an address that belongs to this machine or is only valid on one link. It returns "" for other
// addresses.
func (t *Table) near(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "a loopback address"
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	case t.Own != nil && t.Own(a):
		return "an address of this machine"
	}
	return ""
}

// NoHost describes an address that the kernel's table refuses as the address of a server. It returns "" for other
// addresses.
func NoHost(a netip.Addr) string {
	switch {
	case a.IsUnspecified():
		return "not the address of a host"
	case a.IsMulticast():
		return "a multicast address"
	case a == netip.MustParseAddr("255.255.255.255"):
		return "the broadcast address"
	case a.Is6() && a.IsLinkLocalUnicast():
		return "a link-local address, and IPVS knows no scope"
	}
	return ""
}

// Refuse takes back answers that give a followed name a virtual address, because packets to a real server there would
// come back to this machine. Virtual addresses are those with the value true in own, and the address of each virtual
// service that is given by name.
func (t *Table) Refuse(own map[netip.Addr]bool) {
	if !t.Again {
		return
	}
	t.refused = own
	for key, r := range t.roles {
		if r&OfVirtual != 0 {
			t.refused[t.hosts[key].Value] = true
		}
	}
	for key, l := range t.hosts {
		if why := t.refusal(key, l.Value); l.Value.IsValid() && why != "" {
			*l = t.failed(key, why)
		}
	}
}
