package fwmark

import "context"

// Preview is what Sync would do, a command line of iptables each, without doing it or loading a module.
func (f *Firewall) Preview(ctx context.Context, want []Rule) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var commands []string
	for _, fam := range f.families {
		lines := linesOf(want, fam.ipv6)
		table, err := fam.tables.list(ctx, true)
		if err != nil {
			return nil, err
		}
		now := readState(table, fam.prefix)
		if now.is(lines) {
			continue
		}
		dry := &dryRun{tables: fam.tables, program: iptablesOf(fam.ipv6)}
		if err := (&family{prefix: fam.prefix, tables: dry}).change(ctx, now, lines); err != nil {
			return nil, err
		}
		commands = append(commands, dry.commands...)
	}
	return commands, nil
}

// dryRun writes down how tables would be changed.
type dryRun struct {
	tables
	program  string
	commands []string
}

func (d *dryRun) run(_ context.Context, c command) error {
	if c.option == removeChain {
		d.note("-F " + c.chain)
	}
	d.note(c.String())
	return nil
}

func (d *dryRun) note(command string) {
	d.commands = append(d.commands, d.program+" -t "+mangle+" "+command)
}
