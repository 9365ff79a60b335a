package fwmark

import (
	"context"

	"ldirectord/internal/lvs"
)

// Preview returns the iptables commands that Sync would run. It runs none of them, and loads no module.
func (f *Firewall) Preview(ctx context.Context, want []lvs.MarkRule) ([]string, error) {
	var lines []string
	for _, fam := range f.families {
		table, err := fam.tables.list(ctx, true)
		if err != nil {
			return nil, err
		}
		now := readState(table, fam.prefix)
		for _, c := range now.changes(linesOf(want, fam.ipv6)) {
			line := iptablesOf(fam.ipv6) + " -t " + mangle + " "
			if c.option == removeChain {
				lines = append(lines, line+"-F "+c.chain)
			}
			lines = append(lines, line+c.String())
		}
	}
	return lines, nil
}
