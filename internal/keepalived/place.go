package keepalived

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// maxServices is the maximum number of virtual services in a group.
const maxServices = 4096

// group stores the entries of a virtual_server_group.
func (c *converter) group(s *statement) {
	if c.groups[s.arg(1)] != nil {
		c.note(s, "ignored: keepalived uses only the first virtual_server_group with this name")
		return
	}
	c.groups[s.arg(1)] = s.block
}

// headers returns the first lines of a virtual server's sections. There is a section for each address and firewall mark
// that the virtual server, or its group, names.
func (c *converter) headers(s *statement, own *scope) (addresses, marks []string) {
	entries := []*statement{{at: s.at, words: s.words[min(1, len(s.words)-1):min(3, len(s.words))]}}
	if s.arg(1) == "group" {
		entries = c.groups[s.arg(2)]
	}
	c.taken(s, 3)
	for _, e := range entries {
		if e.name() == "fwmark" {
			marks = append(marks, c.mark(e, own)...)
			c.taken(e, 3)
		} else {
			addresses = append(addresses, c.addresses(e)...)
			c.taken(e, 2)
		}
		c.unknown(e.block)
	}
	if n := len(addresses) + len(marks); n == 0 || n > maxServices {
		c.fail(s, "1 to 4096 addresses or firewall marks")
	}
	return addresses, marks
}

// taken adds a comment if a line has more than the given number of words.
func (c *converter) taken(s *statement, words int) {
	if len(s.words) > words {
		c.differs(s, fmt.Sprintf("only its first %d words are taken", words))
	}
}

// mark reads a firewall mark and its address family. If no family is given, the mark has the family of the servers.
func (c *converter) mark(s *statement, own *scope) []string {
	switch family := s.arg(2); {
	case family == "inet6", family == "" && strings.Contains(own.text("real_server"), ":"):
		return []string{"virtual6 = " + s.arg(1)}
	case family == "inet", family == "":
		return []string{"virtual = " + s.arg(1)}
	}
	c.noEqual(s, "; the family of a mark is inet or inet6")
	return nil
}

// of returns the headers that belong to an address family.
func of(family string, headers []string) (all []string) {
	for _, header := range headers {
		if strings.HasPrefix(header, family) {
			all = append(all, header)
		}
	}
	return all
}

// addresses reads an address, a network or a range of addresses, and the port after it. It returns a header for each
// address.
func (c *converter) addresses(s *statement) (all []string) {
	from, to, isRange := strings.Cut(s.name(), "-")
	if isRange && !strings.ContainsAny(to, ".:") {
		to = from[:strings.LastIndexAny(from, ".:")+1] + to
	}
	first, _ := netip.ParseAddr(from)
	last, _ := netip.ParseAddr(cmp.Or(to, from))
	network, err := netip.ParsePrefix(from)
	if err == nil && network == network.Masked() {
		first = network.Addr()
	}
	directive := "virtual = "
	if first.Is6() {
		directive = "virtual6 = "
	}
	for a := first; len(all) <= maxServices && a.IsValid() && (network.Contains(a) || !last.Less(a)); a = a.Next() {
		all = append(all, directive+host(a, cmp.Or(s.arg(1), "0")))
	}
	if all == nil {
		c.fail(s, "an address, a network, or the first and the last address of a range")
	}
	return all
}
