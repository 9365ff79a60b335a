package main

import (
	_ "embed"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/printable"
	"ldirectord/internal/resolve"
	"ldirectord/parser"
)

// realServerScript is the script. writeRealServerScript replaces its placeholders, such as @NAME@.
//
//go:embed realserver.sh
var realServerScript string

// realServer is a machine and the virtual services that it serves.
type realServer struct {
	addr   netip.Addr
	serves map[string][]string // its virtual addresses by method (gate, ipip, masq), in file order; masq has none
	// virtual services whose addresses the script can't set up, each with the reason
	manual []string
}

// printRealServerScript prints a script that sets up the given real server or, if none is given, the one that runs it.
func printRealServerScript(c *call) error {
	servers, name, server := realServers(c.Plan.Services), c.instanceName(), ""
	if len(c.args) == 1 {
		meant, err := findServers(servers, c.Config.Names, c.args[0])
		if err != nil {
			return fmt.Errorf("%s: %w", c.path, err)
		}
		servers, server = meant, meant[0].addr.String()
		name += "@" + server
	}
	known := false
	for _, s := range servers {
		known = known || len(s.serves) > 0
		for _, v := range s.manual {
			c.warn("%s: to be set up by hand on %s: %s", c.path, s.addr, v)
		}
	}
	if !known {
		return fmt.Errorf("%s: there is nothing to set up", c.path)
	}
	return writeRealServerScript(c.raw, c.path, name, server, servers)
}

// realServers returns the machines that serve virtual addresses, including fallback servers, in file order. It leaves
// out the director itself (a loopback address).
func realServers(services []*plan.Service) (servers []*realServer) {
	byAddr := map[netip.Addr]*realServer{}
	for _, s := range services {
		for _, m := range s.Entries {
			if addr := m.Dest.Addr.Addr(); byAddr[addr] == nil && !addr.IsLoopback() {
				byAddr[addr] = &realServer{addr: addr, serves: map[string][]string{}}
				servers = append(servers, byAddr[addr])
			}
		}
	}
	for _, s := range services {
		for _, m := range s.Entries {
			if server := byAddr[m.Dest.Addr.Addr()]; server != nil {
				server.add(s.Config, m.Dest.Forward, servers)
			}
		}
	}
	return servers
}

// add records a virtual service that a machine serves. A network of virtual addresses that contains real servers is
// left to be set up by hand, because the script would cut these servers off from each other.
func (s *realServer) add(v *parser.Virtual, forward lvs.Forward, all []*realServer) {
	way := forward.String()
	if forward == lvs.Masq {
		s.serves[way] = nil
		return
	}
	addresses := v.Addresses()
	if len(addresses) == 0 {
		s.manual = with(s.manual, v.ID+", whose addresses are unknown without a mark line")
	}
	for _, p := range addresses {
		switch {
		case slices.ContainsFunc(all, func(one *realServer) bool { return p.Contains(one.addr) }):
			s.manual = with(s.manual, fmt.Sprintf("%s of %s, which contains real servers", p, v.ID))
		case p.IsSingleIP():
			s.serves[way] = with(s.serves[way], p.Addr().String())
		default:
			s.serves[way] = with(s.serves[way], p.String())
		}
	}
}

// with adds a text to a list, unless the list already contains it.
func with(list []string, value string) []string {
	if slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}

// findServers returns the server with an address, or those of a name: a machine may have an address of each family.
func findServers(servers []*realServer, names []resolve.Name, word string) (found []*realServer, err error) {
	addr, err := lvs.ParseAddr(word)
	for _, s := range servers {
		isOf := func(n resolve.Name) bool { return n.Host == word && n.Addr == s.addr }
		if s.addr == addr || slices.ContainsFunc(names, isOf) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case err != nil:
		return nil, fmt.Errorf("%q is not an address of a real server", word)
	}
	return nil, fmt.Errorf("no real server has the address %s", addr)
}

// writeRealServerScript writes the script. server is the address of the machine to set up. If it is "", the script
// recognizes the machine that runs it by its addresses. name distinguishes the records of this script from those of
// similar scripts.
func writeRealServerScript(w io.Writer, path, name, server string, servers []*realServer) error {
	var addresses strings.Builder
	for _, s := range servers {
		s.write(&addresses)
	}
	_, err := strings.NewReplacer(
		"@CONFIG@", strconv.QuoteToASCII(path), "@NAME@", printable.ShellWord(name), "@SERVER@",
		printable.ShellWord(server),
		"@ADDRESSES@", addresses.String(),
	).WriteString(w, realServerScript)
	return err
}

func (s *realServer) write(b *strings.Builder) {
	for _, way := range slices.Sorted(maps.Keys(s.serves)) {
		words := append([]string{"serves", s.addr.String(), way}, s.serves[way]...)
		fmt.Fprintf(b, "\t%s\n", printable.ShellLine(words...))
	}
	for _, v := range s.manual {
		fmt.Fprintf(b, "\t: # by hand: %s\n", v)
	}
}
