package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ldirectord/parser"
	"ldirectord/printable"
)

// realServerScript is the part of the script that is the same for every file. The addresses come before it.
//
//go:embed realserver.sh
var realServerScript string

// realServer is what one machine gets by the file.
type realServer struct {
	addr   netip.Addr
	direct []netip.Prefix // virtual addresses by gate, in file order
	tunnel []netip.Prefix // by ipip
	masq   bool           // it also, or only, serves by masq
	manual []string       // virtual services whose addresses the script can't set up, each with the reason
}

// printRealServerScript prints a script that sets a real server up, or whichever it runs on.
func printRealServerScript(ctx context.Context, c *call) error {
	l, err := c.load(ctx)
	if err != nil {
		return err
	}
	servers, name, server := realServers(l.Config), c.instanceName(), ""
	if len(c.args) == 1 {
		one, err := findServer(servers, c.args[0])
		if err != nil {
			return fmt.Errorf("%s: %w", c.path, err)
		}
		servers, server = []*realServer{one}, one.addr.String()
		name += "@" + server
	}
	known := false
	for _, s := range servers {
		known = known || s.masq || len(s.direct)+len(s.tunnel) > 0
		for _, v := range s.manual {
			c.warn("%s: left to be set up by hand on %s: %s", c.path, s.addr, v)
		}
	}
	if !known {
		return fmt.Errorf("%s: there is nothing to set up", c.path)
	}
	return writeRealServerScript(c.out, c.path, name, server, servers)
}

// realServers are the machines that serve virtual addresses, fallback servers among them, in file order. The
// director itself, by a loopback address, is none.
func realServers(cfg *parser.Config) []*realServer {
	var servers []*realServer
	var addresses []netip.Addr
	byAddr := map[netip.Addr]*realServer{}
	eachDestination(cfg, func(_ *parser.Virtual, addr netip.Addr, _ parser.Forward) {
		if byAddr[addr] == nil {
			byAddr[addr] = &realServer{addr: addr}
			servers = append(servers, byAddr[addr])
			addresses = append(addresses, addr)
		}
	})
	eachDestination(cfg, func(v *parser.Virtual, addr netip.Addr, forward parser.Forward) {
		byAddr[addr].serve(v, forward, addresses)
	})
	return servers
}

func eachDestination(cfg *parser.Config, f func(*parser.Virtual, netip.Addr, parser.Forward)) {
	for i := range cfg.Virtuals {
		v := &cfg.Virtuals[i]
		for _, r := range v.Reals {
			if addr := r.Addr.Addr(); !addr.IsLoopback() {
				f(v, addr, r.Forward)
			}
		}
		if fallback := v.Fallback; fallback != nil && !fallback.Addr.Addr().IsLoopback() {
			f(v, fallback.Addr.Addr(), fallback.Forward)
		}
	}
}

// serve notes a virtual service that a machine serves. A network of virtual addresses that holds
// real servers would cut them off from each other, so it is left out.
func (s *realServer) serve(v *parser.Virtual, forward parser.Forward, others []netip.Addr) {
	if forward == parser.Masq {
		s.masq = true
		return
	}
	addresses := v.Addresses()
	if len(addresses) == 0 {
		s.leave(v.ID + ", whose addresses no mark directive tells")
	}
	for _, p := range addresses {
		switch {
		case slices.ContainsFunc(others, p.Contains):
			s.leave(fmt.Sprintf("%s of %s, which holds real servers", p, v.ID))
		case forward == parser.IPIP:
			s.tunnel = withPrefix(s.tunnel, p)
		default:
			s.direct = withPrefix(s.direct, p)
		}
	}
}

func (s *realServer) leave(reason string) {
	if !slices.Contains(s.manual, reason) {
		s.manual = append(s.manual, reason)
	}
}

func withPrefix(have []netip.Prefix, p netip.Prefix) []netip.Prefix {
	if slices.Contains(have, p) {
		return have
	}
	return append(have, p)
}

func findServer(servers []*realServer, word string) (*realServer, error) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(word, "["), "]"))
	if err != nil {
		return nil, fmt.Errorf("%q is not an address of a real server", word)
	}
	for _, s := range servers {
		if s.addr == addr {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no real server has the address %s", addr)
}

const realServerUsage = `#   sh SCRIPT start    takes the virtual addresses so that they answer no ARP here; again does no harm
#   sh SCRIPT stop     undoes what start did, and nothing else
#   sh SCRIPT status   0: all of it is set up, 3: not all of it
#
# Run it as root, at each boot before the services start. Needs iproute2. By gate the addresses are on lo;
# by ipip on tunl0 or ip6tnl0, which then takes tunnelled packets from anyone: let the packet filter accept
# IP protocols 4 and 41 from the directors alone. masq needs no address, but a default route to the director.
`

// writeRealServerScript writes the script. server is the address of the machine it is for; "" lets it choose
// by the machine's own addresses. name tells its notes from those of other such scripts.
func writeRealServerScript(w io.Writer, path, name, server string, servers []*realServer) error {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	fmt.Fprintf(&b, "# Sets up a real server of Linux Virtual Server. Made by ldirectord %s realserver-script.\n#\n", strconv.QuoteToASCII(path))
	b.WriteString(realServerUsage)
	fmt.Fprintf(&b, "\nname=%s\n", printable.ShellWord(name))
	fmt.Fprintf(&b, "server=%s # empty: the one whose address this machine has\n\n", printable.ShellWord(server))
	b.WriteString("# Who serves which virtual addresses, and how.\nvirtual_addresses() {\n")
	for _, s := range servers {
		s.write(&b)
	}
	b.WriteString("}\n")
	b.WriteString(realServerScript)
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *realServer) write(b *strings.Builder) {
	line := func(method string, addresses []netip.Prefix) {
		fmt.Fprintf(b, "\tserves %s %s", printable.ShellWord(s.addr.String()), method)
		for _, p := range addresses {
			address := p.String()
			if p.IsSingleIP() {
				address = p.Addr().String()
			}
			b.WriteString(" " + printable.ShellWord(address))
		}
		b.WriteString("\n")
	}
	if len(s.direct) > 0 {
		line("gate", s.direct)
	}
	if len(s.tunnel) > 0 {
		line("ipip", s.tunnel)
	}
	if s.masq {
		line("masq", nil)
	}
	for _, v := range s.manual {
		fmt.Fprintf(b, "\t: # by hand: %s\n", v)
	}
}
