package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"

	"ldirectord/director"
	"ldirectord/ipvsctl"
)

// connections shows what the virtual services carry now: every connection and persistence template as it
// comes from the kernel, then the counters of each server.
func (a *app) connections(ctx context.Context) int {
	if code := a.readable(ctx); code != exitOK {
		return code
	}
	virtual := strings.Join(a.args, "")
	shown := a.loaded.plan.Services(virtual)
	if len(shown) == 0 && virtual != "" {
		fmt.Fprintf(a.stderr, "ldirectord: %s has no virtual service %s\n", a.path, virtual)
		return exitFailure
	}
	if err := a.showConnections(ctx, shown); err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: %v\n", err)
		return exitFailure
	}
	return exitOK
}

func (a *app) showConnections(ctx context.Context, shown []director.Service) error {
	kernel, err := a.look(ctx)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(a.stdout)
	if kernel == nil { // a table in memory balances nothing
		a.connectionPrinter(buffer, nil).end(0)
		return buffer.Flush()
	}
	defer kernel.Close()
	table, err := kernel.Read(ctx)
	if err != nil {
		return err
	}
	told, err := a.serverStates(ctx)
	if err != nil {
		return err
	}
	owners := newOwners(a.loaded.plan.Services(""), table, told)
	owners.show(shown)
	out := a.connectionPrinter(buffer, owners.services)
	skipped, err := ipvsctl.EachConnection(ctx, func(c ipvsctl.Connection) error {
		if line, ok := owners.line(c); ok {
			out.connection(line)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := tellServers(ctx, kernel, owners.services, out); err != nil {
		return err
	}
	out.end(skipped)
	return buffer.Flush()
}

// serverStates are what the running daemon says of its servers, or else who is to be drained.
func (a *app) serverStates(ctx context.Context) (map[director.Backend]string, error) {
	states := map[director.Backend]string{}
	orders, err := a.drainFile().read()
	if err != nil {
		return nil, err
	}
	for p := range orders {
		states[p] = "drained"
	}
	if a.instance().Find().Pid == 0 {
		return states, nil
	}
	report, err := a.report(ctx)
	if err != nil {
		return states, nil // the table shows most of it
	}
	for _, v := range report.Virtuals {
		for _, s := range v.Servers {
			states[director.Backend{Virtual: v.ID, Real: s.Real}] = s.State
		}
	}
	return states, nil
}

// tellServers shows the kernel's own counters, which also tell one mark from another.
func tellServers(ctx context.Context, kernel *ipvsctl.Kernel, services []*balanced, out connectionPrinter) error {
	for _, s := range services {
		if !s.shown {
			continue
		}
		counters, err := kernel.Counters(ctx, s.Key)
		if err != nil {
			return err
		}
		for _, m := range s.servers {
			n := counters[m.addr]
			out.server(serverLine{s.Config.ID, m.name, m.state, m.weight, n.Active, n.Inactive, n.Persistent})
		}
	}
	return nil
}

// connectionLine is an entry of the kernel's table of connections as it is shown.
type connectionLine struct {
	Virtual     string `json:"virtual"` // several, with " or " between them, where the kernel does not tell
	Client      string `json:"client"`
	To          string `json:"to"` // what the client asked; "" for a mark's template
	Server      string `json:"server"`
	ServerState string `json:"server_state"`
	Kind        string `json:"kind"` // connection or template
	Protocol    string `json:"protocol"`
	State       string `json:"state"`
	Expires     int    `json:"expires_seconds"`
	Engine      string `json:"engine,omitempty"`
	EngineData  string `json:"engine_data,omitempty"`
}

// serverLine is what a server carries.
type serverLine struct {
	Virtual     string `json:"virtual"`
	Server      string `json:"server"`
	ServerState string `json:"server_state"`
	Weight      uint32 `json:"weight"`
	Active      uint32 `json:"active"`
	Inactive    uint32 `json:"inactive"`
	Persistent  uint32 `json:"persistent"`
}

// line is an entry as it is shown, false for one that is none of the services shown.
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
		Server:  server.name, ServerState: server.state,
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
		line.To = ""
	}
	return line, true
}
