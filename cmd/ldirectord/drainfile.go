package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"ldirectord/director"
	"ldirectord/instance"
)

// drainFile holds the operator's orders which servers get no new connections: after the format a line for each,
// virtual service and real server. It outlives the daemon, not a boot.
type drainFile string

func (o *options) drainFile() drainFile {
	return drainFile(o.instance().Files().Drain)
}

func (d *daemon) drainFile() drainFile { return drainFile(d.hold.Drain) }

// read returns the orders; none when there is no file.
func (f drainFile) read() (map[director.Backend]bool, error) {
	text, err := instance.Read(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the orders to drain: %w", err)
	}
	backends := map[director.Backend]bool{}
	for line := range strings.Lines(string(text)) {
		virtual, real, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && !strings.HasPrefix(line, "#") {
			backends[director.Backend{Virtual: virtual, Real: real}] = true
		}
	}
	return backends, nil
}

// write makes these all the orders.
func (f drainFile) write(backends map[director.Backend]bool) error {
	lines := []string{instance.OrdersFormat + "\n"}
	for p := range backends {
		lines = append(lines, p.Virtual+" "+p.Real+"\n")
	}
	slices.Sort(lines[1:])
	if err := instance.Write(string(f), []byte(strings.Join(lines, "")), 0o600); err != nil {
		return fmt.Errorf("recording the orders to drain: %w", err)
	}
	return nil
}
