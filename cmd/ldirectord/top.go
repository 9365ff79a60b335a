package main

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"ldirectord/ipvsctl"
)

// topClients is the maximum number of clients that are counted at the same time. Among N connections, a client with
// more than N / topClients is always found.
const topClients = 1 << 16

// most finds the clients with the most connections. It uses the algorithm of Misra and Gries, which needs little
// memory: when there are too many clients, the count of each is reduced by one, and clients with a count of zero are
// forgotten.
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

// busyClient contains a client and the number of its connections, not counting templates.
type busyClient struct {
	Client      netip.Addr `json:"client"`
	Connections int        `json:"connections"`
	Server      string     `json:"server"` // the server of all its connections, or "several"
}

// showTop shows the clients with the most connections. It reads the connection table twice: first to find these
// clients, then to count their connections.
func showTop(c *call, owners *owners) error {
	found, busy := most{}, map[netip.Addr]busyClient{}
	_, err := owners.each(c, func(e ipvsctl.Connection, _ connectionLine) {
		if !e.Template() {
			found.add(e.Client.Addr())
		}
	})
	if err != nil {
		return err
	}
	skipped, err := owners.each(c, func(e ipvsctl.Connection, line connectionLine) {
		client := e.Client.Addr()
		if e.Template() || found[client] == 0 {
			return
		}
		b := busyClient{client, busy[client].Connections + 1, line.Server}
		if b.Connections > 1 && busy[client].Server != b.Server {
			b.Server = "several"
		}
		busy[client] = b
	})
	if err != nil {
		return err
	}
	top := slices.SortedFunc(maps.Values(busy), func(a, b busyClient) int {
		return cmp.Or(b.Connections-a.Connections, a.Client.Compare(b.Client))
	})
	top = top[:min(c.Lines, len(top))]
	if c.JSON {
		c.printJSON(map[string]any{"clients": append([]busyClient{}, top...), "unreadable": skipped})
		return nil
	}
	const row = "%-39v  %11v  %v" // 39: the longest IPv6 address
	c.tell(row, "CLIENT", "CONNECTIONS", "SERVER")
	for _, b := range top {
		c.tell(row, b.Client, b.Connections, b.Server)
	}
	return nil
}
