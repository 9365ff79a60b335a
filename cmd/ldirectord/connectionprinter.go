package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// connectionPrinter prints connections as they arrive, so that it need not keep a million of them in memory. Then it
// prints the servers. Its writer keeps write errors. Without --json it prints two tables. The lines are not known in
// advance, so each column is wide enough for any value that the configuration allows. With --json it prints one object
// with the connections, the servers, and the number of the kernel's lines that could not be read.
type connectionPrinter struct {
	w       io.Writer
	json    bool
	before  string // the start of the next line of JSON: the beginning of its list, or a comma
	entry   string // the columns of a connection
	total   string // the columns of a server
	servers []serverLine
	choice  string     // the columns of next
	next    []nextLine // of a client; nil: the text shows the servers instead
}

const (
	maxIPv4 = len("255.255.255.255:65535")
	maxIPv6 = len("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")
)

func newConnectionPrinter(w io.Writer, asJSON bool, services []*balanced) *connectionPrinter {
	p := &connectionPrinter{w: w, json: asJSON, before: "{\"connections\": ["}
	virtuals, clients, names := len("VIRTUAL"), maxIPv4, len("SERVER")
	for _, s := range services {
		if !s.shown {
			continue
		}
		virtuals = max(virtuals, len(s.Config.ID))
		if s.Key().IPv6 {
			clients = maxIPv6
		}
		p.servers = append(p.servers, s.servers...)
		for _, m := range s.servers {
			names = max(names, len(m.Server))
		}
	}
	p.entry = fmt.Sprintf("%%-%ds  %%-%ds  %%-%ds  %%-%ds  %%-14s  %%-10s  %%-8s  %%-11s  %%s\n",
		virtuals, clients, clients, names)
	p.total = fmt.Sprintf("%%-%ds  %%-%ds  %%-14s  %%10v  %%10v  %%10v  %%10v\n", virtuals, names)
	p.choice = fmt.Sprintf("%%-%ds  %%-%ds  %%s\n", virtuals, names)
	if !asJSON {
		fmt.Fprintf(w, p.entry, "VIRTUAL", "CLIENT", "TO", "SERVER", "SERVER IS", "KIND", "PROTOCOL", "STATE",
			"EXPIRES")
	}
	return p
}

func (p *connectionPrinter) connection(c connectionLine) {
	if p.json {
		p.add(c)
		return
	}
	more := fmt.Sprintf("%02d:%02d", c.Expires/60, c.Expires%60)
	if c.Engine != "" {
		// clients choose this data, so it is quoted
		more += fmt.Sprintf("  %s %s", c.Engine, strconv.Quote(c.EngineData))
	}
	fmt.Fprintf(p.w, p.entry, c.Virtual, c.Client, cmp.Or(c.To, "-"), c.Server, c.ServerState, c.Kind, c.Protocol,
		c.State, more)
}

// end prints the servers, or where a client's next connections would go. It closes the JSON object.
func (p *connectionPrinter) end(skipped int) {
	switch {
	case p.json:
		p.endJSON(skipped)
	case p.next != nil:
		fmt.Fprintf(p.w, "\n"+p.choice, "VIRTUAL", "NEXT TO", "BECAUSE")
		for _, n := range p.next {
			fmt.Fprintf(p.w, p.choice, n.Virtual, cmp.Or(n.Server, "-"), n.Because)
		}
	case len(p.servers) > 0:
		fmt.Fprintf(p.w, "\n"+p.total, "VIRTUAL", "SERVER", "SERVER IS", "WEIGHT", "ACTIVE", "INACTIVE",
			"PERSISTENT")
		for _, s := range p.servers {
			fmt.Fprintf(p.w, p.total, s.Virtual, s.Server, s.ServerState, s.Weight, s.Active, s.Inactive,
				s.Persistent)
		}
	}
}

func (p *connectionPrinter) endJSON(skipped int) {
	p.list("servers")
	for _, s := range p.servers {
		p.add(s)
	}
	if p.next != nil {
		p.list("next")
		for _, n := range p.next {
			p.add(n)
		}
	}
	fmt.Fprintf(p.w, "%s\n ],\n \"unreadable\": %d}\n", strings.TrimSuffix(p.before, ","), skipped)
}

// list ends one JSON list and begins the next.
func (p *connectionPrinter) list(name string) {
	p.before = fmt.Sprintf("%s\n ],\n %q: [", strings.TrimSuffix(p.before, ","), name)
}

func (p *connectionPrinter) add(line any) {
	text, _ := json.Marshal(line) // strings and numbers can't fail
	fmt.Fprintf(p.w, "%s\n  %s", p.before, text)
	p.before = ","
}
