package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"ldirectord/printable"
)

// connectionPrinter prints connections as they come, then servers: a million connections are not kept. Its writer
// remembers an error.
type connectionPrinter interface {
	connection(connectionLine)
	server(serverLine)
	end(skipped int) // lines of the kernel that could not be read
}

func (c *call) connectionPrinter(services []*balanced) connectionPrinter {
	if c.jsonOut {
		return &connectionsJSON{w: c.out, before: "{\"connections\": ["}
	}
	return newConnectionsText(c.out, c.warn, services)
}

// connectionsText is a table for a person. Its columns have the maximum width that the configuration allows, as the
// lines are not known before.
type connectionsText struct {
	w        io.Writer
	warn     func(format string, args ...any)
	virtuals int // width of a column, likewise the next two
	clients  int
	names    int
	counting bool // the servers' table has begun
}

const (
	maxIPv4 = len("255.255.255.255:65535")
	maxIPv6 = len("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")
)

func newConnectionsText(w io.Writer, warn func(string, ...any), services []*balanced) *connectionsText {
	t := &connectionsText{w: w, warn: warn, virtuals: len("VIRTUAL"), clients: maxIPv4, names: len("SERVER")}
	for _, s := range services {
		if !s.shown {
			continue
		}
		t.virtuals = max(t.virtuals, len(s.Config.ID))
		if s.Key.IPv6 {
			t.clients = maxIPv6
		}
		for _, m := range s.servers {
			t.names = max(t.names, len(m.Server))
		}
	}
	t.row("VIRTUAL", "CLIENT", "TO", "SERVER", "SERVER IS", "KIND", "PROTOCOL", "STATE", "EXPIRES")
	return t
}

func (t *connectionsText) row(virtual, client, to, server, is, kind, protocol, state, more string) {
	fmt.Fprintf(t.w, "%-*s  %-*s  %-*s  %-*s  %-14s  %-10s  %-8s  %-11s  %s\n",
		t.virtuals, virtual, t.clients, client, t.clients, to, t.names, server, is, kind, protocol, state, more)
}

func (t *connectionsText) connection(c connectionLine) {
	more := fmt.Sprintf("%02d:%02d", c.Expires/60, c.Expires%60)
	if c.Engine != "" {
		// clients choose the data
		more += fmt.Sprintf("  %s %s", printable.Line(c.Engine), strconv.Quote(c.EngineData))
	}
	t.row(c.Virtual, c.Client, cmp.Or(c.To, "-"), c.Server, c.ServerState, c.Kind, c.Protocol,
		printable.Line(c.State), more)
}

func (t *connectionsText) server(s serverLine) {
	if !t.counting {
		t.counting = true
		fmt.Fprintf(t.w, "\n%-*s  %-*s  %-14s  %10s  %10s  %10s  %10s\n",
			t.virtuals, "VIRTUAL", t.names, "SERVER", "SERVER IS", "WEIGHT", "ACTIVE", "INACTIVE",
			"PERSISTENT")
	}
	fmt.Fprintf(t.w, "%-*s  %-*s  %-14s  %10d  %10d  %10d  %10d\n",
		t.virtuals, s.Virtual, t.names, s.Server, s.ServerState, s.Weight, s.Active, s.Inactive, s.Persistent)
}

func (t *connectionsText) end(skipped int) {
	if skipped > 0 {
		t.warn("lines of the kernel's table of connections that could not be read: %d", skipped)
	}
}

// connectionsJSON is one object: connections, servers, and how many lines could not be read.
type connectionsJSON struct {
	w        io.Writer
	before   string // the next line: the beginning of its list, or a comma
	counting bool   // the servers' list has begun
}

func (j *connectionsJSON) connection(c connectionLine) { j.add(c) }

func (j *connectionsJSON) server(s serverLine) {
	j.count()
	j.add(s)
}

func (j *connectionsJSON) end(skipped int) {
	j.count()
	fmt.Fprintf(j.w, "%s\n ],\n \"unreadable\": %d}\n", strings.TrimSuffix(j.before, ","), skipped)
}

// count begins the servers' list.
func (j *connectionsJSON) count() {
	if !j.counting {
		j.counting = true
		j.before = strings.TrimSuffix(j.before, ",") + "\n ],\n \"servers\": ["
	}
}

func (j *connectionsJSON) add(line any) {
	text, _ := json.Marshal(line) // strings and numbers can't fail
	fmt.Fprintf(j.w, "%s\n  %s", j.before, text)
	j.before = ","
}
