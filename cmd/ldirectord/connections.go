package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/ipvsctl"
)

// connections shows the current connections and persistence templates in the kernel's order. Then it shows each
// server's counters from the table: unlike the connections, they tell marks apart. With --client it shows only the
// connections of one client, and where its next connection would go. With --top it shows the clients with the most
// connections.
func connections(c *call) error {
	virtual := strings.Join(c.args, "")
	if err := core.SnapshotOf(c.Plan, time.Now()).Called(&virtual); err != nil {
		return err
	}
	if len(c.Plan.ServicesOf(virtual)) == 0 && virtual != "" {
		return fmt.Errorf("%s has no virtual service %s", c.path, virtual)
	}
	if c.table.Live == nil {
		if !c.JSON {
			c.warn("a table in memory has no connections")
		}
		c.table.Connections = noConnections
		return showConnections(c, &owners{})
	}
	if err := c.table.Connect(c.ctx); err != nil {
		return err
	}
	table, err := c.table.Read(c.ctx)
	if err != nil {
		return err
	}
	states, err := serverStates(c)
	if err != nil {
		return err
	}
	return showConnections(c, newOwners(c.Plan.Services, table, states, virtual))
}

func noConnections(context.Context, func(ipvsctl.Connection) error) (int, error) { return 0, nil }

// showConnections shows the connections of the shown services, or of one client.
func showConnections(c *call, owners *owners) error {
	if c.Top {
		return showTop(c, owners)
	}
	to := io.Writer(c.out)
	if c.JSON {
		to = jsonWriter{c.raw}
	}
	out := newConnectionPrinter(to, c.JSON, owners.services)
	skipped, err := owners.each(c, func(_ ipvsctl.Connection, line connectionLine) { out.connection(line) })
	if err != nil {
		return err
	}
	if c.about.IsValid() {
		out.next, err = owners.next(c)
	}
	out.end(skipped)
	if skipped > 0 && !c.JSON {
		c.warn("lines of the kernel's table of connections that could not be read: %d", skipped)
	}
	return err
}

// each calls f for each entry of the shown services. With --client, it calls f only for that client's entries. It
// returns the number of lines that could not be read.
func (o *owners) each(c *call, f func(ipvsctl.Connection, connectionLine)) (skipped int, err error) {
	return c.table.Connections(c.ctx, func(e ipvsctl.Connection) error {
		if c.about.IsValid() && !o.note(e, c.about) {
			return nil
		}
		if line, ok := o.line(e); ok {
			f(e, line)
		}
		return nil
	})
}

// serverStates returns the servers' states as the running daemon reports them. If the daemon does not answer, it
// returns only the servers that an order has taken out of service. The table shows the state of the others.
func serverStates(c *call) (map[lvs.Backend]string, error) {
	states := map[lvs.Backend]string{}
	if report, err := c.report(); err == nil {
		for _, v := range report.Virtuals {
			for _, s := range v.Servers {
				states[lvs.At(v.ID, s.Real)] = s.State
			}
		}
		return states, nil
	}
	given, err := orders.File(c.instance().Files().Drain).Current()
	for at, o := range given.InForce() {
		states[at] = map[orders.Kind]string{orders.Drain: "drained",
			orders.Maint: "maintenance"}[o.Kind]
	}
	return states, err
}

// connectionLine is an entry of the kernel's connection table, for output.
type connectionLine struct {
	Virtual     string `json:"virtual"` // several, joined with " or ", if the kernel does not distinguish them
	Client      string `json:"client"`
	To          string `json:"to"` // the address that the client uses; "" for a mark's template
	Server      string `json:"server"`
	ServerState string `json:"server_state"`
	Kind        string `json:"kind"` // connection or template
	Protocol    string `json:"protocol"`
	State       string `json:"state"`
	Expires     int    `json:"expires_seconds"`
	Engine      string `json:"engine,omitempty"`
	EngineData  string `json:"engine_data,omitempty"`
}

// serverLine contains the state and the counters of a server, for output.
type serverLine struct {
	addr        netip.AddrPort
	Virtual     string `json:"virtual"`
	Server      string `json:"server"`
	ServerState string `json:"server_state"`
	Weight      uint32 `json:"weight"`
	Active      uint32 `json:"active"`
	Inactive    uint32 `json:"inactive"`
	Persistent  uint32 `json:"persistent"`
}

// line prepares an entry for output. It returns false if the entry belongs to none of the shown services.
func (o *owners) line(c ipvsctl.Connection) (connectionLine, bool) {
	owning := o.of(c)
	var ids []string
	shown := false
	for _, s := range owning {
		ids = append(ids, s.Config.ID)
		shown = shown || s.shown
	}
	if !shown {
		return connectionLine{}, false
	}
	server := owning[0].server(c.Dest)
	line := connectionLine{
		Virtual: strings.Join(ids, " or "),
		Client:  c.Client.String(),
		To:      c.Virtual.String(),
		Server:  server.Server, ServerState: server.ServerState,
		Kind:     "connection",
		Protocol: c.Protocol.String(),
		State:    c.State,
		Expires:  int(c.Expires / time.Second),
		Engine:   c.Engine, EngineData: c.EngineData,
	}
	if c.Template() {
		line.Kind, line.Client = "template", c.Client.Addr().String()
	}
	if c.Mark() != 0 {
		line.To, line.Protocol = "", "mark"
	}
	return line, true
}
