package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"ldirectord/internal/lvs"
	"ldirectord/ipvsctl"
)

// This file is for connections --client. It finds where the client's next connection to each virtual service would go.

// expireTemplates is a file of the kernel. It contains 1 if the kernel ignores templates whose server has weight 0.
const expireTemplates = "/proc/sys/net/ipv4/vs/expire_quiescent_template"

// readClient parses ADDRESS or ADDRESS:PORT. Without PORT, the port is 0. For "" it returns an invalid client.
func readClient(text string) (client netip.AddrPort, err error) {
	if text == "" {
		return client, nil
	}
	addr, err := lvs.ParseAddr(text)
	if err != nil {
		client, err = netip.ParseAddrPort(text)
		addr = client.Addr()
	}
	if err != nil {
		return client, fmt.Errorf("--client %s: ADDRESS and ADDRESS:PORT are allowed", text)
	}
	return netip.AddrPortFrom(addr.Unmap().WithZone(""), client.Port()), nil // the kernel knows no zones
}

// note reports whether an entry belongs to a client. If the entry is a template, note also records its server.
func (o *owners) note(c ipvsctl.Connection, client netip.AddrPort) bool {
	addr := client.Addr()
	if !c.Template() {
		return c.Client.Addr() == addr && (client.Port() == 0 || client.Port() == c.Client.Port())
	}
	for _, b := range o.of(c) { // a template has at most one virtual service
		if c.Client.Addr() == b.table.Settings.Masked(addr) {
			b.template = c.Dest
			return true
		}
	}
	return false
}

// next finds where the client's next connection to each shown service would go. It skips services of the other address
// family.
func (o *owners) next(c *call) ([]nextLine, error) {
	all := []nextLine{}
	for _, b := range o.services {
		if !b.shown || b.Key().IPv6 != c.about.Addr().Is6() {
			continue
		}
		line, err := b.nextOf(c.ctx, c.about, c.table.InOrder)
		if err != nil {
			return all, err
		}
		all = append(all, line)
	}
	return all, nil
}

// nextLine says where the next connection of a client goes.
type nextLine struct {
	Virtual string `json:"virtual"`
	Server  string `json:"server"` // "": none, or not known
	Because string `json:"because"`
}

// nextOf finds where a client's next connection to a virtual service would go, from the client's template or from the
// hash of the scheduler sh. inOrder reads the destinations in the kernel's order.
func (b *balanced) nextOf(ctx context.Context, client netip.AddrPort,
	inOrder func(context.Context, lvs.Key) ([]lvs.Dest, error)) (n nextLine, err error) {
	n.Virtual = b.Config.ID
	set := b.table.Settings
	sticks := set.Flags&lvs.Persistent != 0
	switch {
	case set.Scheduler == "":
		n.Because = "the virtual service is not in the table"
	case sticks && set.PEName != "":
		n.Because = "the persistence engine " + set.PEName + " chooses"
	case sticks && b.remembers():
		n.Server, n.Because = b.server(b.template).Server, "its template"
	case set.Scheduler != "sh":
		n.Because = set.Scheduler + " chooses"
	case set.Flags&lvs.Sched2 != 0 && client.Port() == 0:
		n.Because = "sh-port: the server depends on the port; give --client ADDRESS:PORT"
	default:
		all, err := inOrder(ctx, b.Key())
		if err != nil {
			return n, err
		}
		n.Server, n.Because = b.hashed(all, client)
	}
	return n, nil
}

// hashed returns the server that sh chooses for a client, or "" if the connection would be refused, and the reason.
func (b *balanced) hashed(all []lvs.Dest, client netip.AddrPort) (server, because string) {
	takes := func(d lvs.Dest) bool {
		return d.Weight > 0 && !d.Full(false, b.table.Counters[d.Addr].Total())
	}
	d, in := lvs.SourceHash(all, b.table.Settings.Flags, client, takes)
	switch {
	case in:
		return b.server(d.Addr).Server, "the hash of sh"
	case d.Addr.IsValid():
		return "", "refused: the hash of sh chooses " + b.server(d.Addr).Server +
			", which gets no new connections"
	default:
		return "", "refused: the virtual service has no server"
	}
}

// remembers reports whether a template was found and the kernel follows it.
func (b *balanced) remembers() bool {
	d, in := b.table.Dests.At(b.template)
	if !in || d.Weight > 0 {
		return in
	}
	text, err := os.ReadFile(expireTemplates)
	return err != nil || strings.TrimSpace(string(text)) == "0"
}
