package main

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"text/tabwriter"

	"ldirectord/ipvsctl"
)

// topClients limits the clients that are counted at a time: of N connections, a client with more than N / topClients is
// always found.
const topClients = 1 << 16

// most finds the clients with the most connections in bounded memory (Misra and Gries): when there are too many, each
// loses one connection, and those with none left are forgotten.
type most map[netip.Addr]int

func (m most) add(client netip.Addr) {
	if m[client] > 0 || len(m) < topClients {
		m[client]++
		return
	}
	maps.DeleteFunc(m, func(client netip.Addr, n int) bool {
		m[client] = n - 1
		return n == 1
	})
}

// busyClient has the connections of a client, without templates.
type busyClient struct {
	Client      string `json:"client"`
	Connections int    `json:"connections"`
	Established int    `json:"established"`
	Server      string `json:"server"` // of all of them; "several"
}

// showTop shows the clients with the most connections. It reads the table twice: to find them, and to count them.
func showTop(c *call, owners *owners) error {
	found := most{}
	if _, err := eachShown(c, owners, func(e ipvsctl.Connection, _ connectionLine) {
		found.add(e.Client.Addr())
	}); err != nil {
		return err
	}
	busy := map[netip.Addr]*busyClient{}
	skipped, err := eachShown(c, owners, func(e ipvsctl.Connection, line connectionLine) {
		if addr := e.Client.Addr(); found[addr] > 0 {
			busy[addr] = cmp.Or(busy[addr], &busyClient{Client: addr.String(), Server: line.Server})
			busy[addr].add(line)
		}
	})
	if err != nil {
		return err
	}
	byConnections := func(a, b *busyClient) int {
		return cmp.Or(b.Connections-a.Connections, cmp.Compare(a.Client, b.Client))
	}
	top := slices.SortedFunc(maps.Values(busy), byConnections)
	return printTop(c, top[:min(c.Lines, len(top))], skipped)
}

func (b *busyClient) add(line connectionLine) {
	b.Connections++
	if line.State == "ESTABLISHED" {
		b.Established++
	}
	if line.Server != b.Server {
		b.Server = "several"
	}
}

func printTop(c *call, top []*busyClient, skipped int) error {
	if c.JSON {
		c.printJSON(map[string]any{"clients": append([]*busyClient{}, top...), "unreadable": skipped})
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	addRow(w, "CLIENT", "CONNECTIONS", "ESTABLISHED", "SERVER")
	for _, b := range top {
		addRow(w, b.Client, strconv.Itoa(b.Connections), strconv.Itoa(b.Established), b.Server)
	}
	return w.Flush()
}

// eachShown calls f for each connection of the shown services, without templates.
func eachShown(c *call, owners *owners, f func(ipvsctl.Connection, connectionLine)) (skipped int, err error) {
	return c.table.Connections(c.ctx, func(e ipvsctl.Connection) error {
		if line, ok := owners.line(e); ok && !e.Template() {
			f(e, line)
		}
		return nil
	})
}
