package fwmark

import (
	"context"
	"fmt"
)

// Preview is what Sync would do, a command line of iptables each, without doing it or loading a module.
func (f *Firewall) Preview(ctx context.Context, want []Rule) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var commands []string
	for _, s := range f.sides {
		lines, err := linesOf(want, s.ipv6)
		if err != nil {
			return nil, err
		}
		program := "iptables"
		if s.ipv6 {
			program = "ip6tables"
		}
		writer := &scribe{tables: s.tables, prefix: program + " -t " + mangle + " "}
		if err := (&side{prefix: s.prefix, tables: writer}).once(ctx, lines); err != nil {
			return nil, err
		}
		commands = append(commands, writer.commands...)
	}
	return commands, nil
}

// once reads the table and changes what is not right.
func (s *side) once(ctx context.Context, want []string) error {
	table, err := s.tables.list(ctx, true)
	if err != nil {
		return err
	}
	now := readState(table, s.prefix)
	if now.right(want) {
		return nil
	}
	return s.change(ctx, now, want)
}

// scribe reads tables and writes down how they would be changed.
type scribe struct {
	tables
	prefix   string
	commands []string
}

func (s *scribe) note(command string) error {
	s.commands = append(s.commands, s.prefix+command)
	return nil
}

func (s *scribe) newChain(_ context.Context, chain string) error { return s.note("-N " + chain) }

func (s *scribe) appendRule(_ context.Context, chain, rule string) error {
	return s.note("-A " + chain + " " + rule)
}

func (s *scribe) insertRule(_ context.Context, chain string, position int, rule string) error {
	return s.note(fmt.Sprintf("-I %s %d %s", chain, position, rule))
}

func (s *scribe) deleteRule(_ context.Context, chain, rule string) error {
	return s.note("-D " + chain + " " + rule)
}

func (s *scribe) removeChain(_ context.Context, chain string) error {
	if err := s.note("-F " + chain); err != nil {
		return err
	}
	return s.note("-X " + chain)
}
