package fwmark

import (
	"context"
	"maps"
	"os"
	"slices"
)

// SourceNAT returns a rule that translates the sources of packets (iptables-extensions(8): SNAT, MASQUERADE), as
// iptables prints it, or "". It reads only tables that exist, and loads no module.
func SourceNAT(ctx context.Context) (rule string, err error) {
	hasNFT := hasModule(os.DirFS("/"), "nf_tables")
	here := backEndHere(ctx)
	for _, b := range backEnds {
		for _, ipv6 := range []bool{false, true} {
			path, err := b.find(here, ipv6)
			if err != nil || b == NFT && !hasNFT {
				continue // no program here sets such rules
			}
			table, err := listPresent(ctx, path, b, "nat", ipv6)
			if err != nil {
				return "", err
			}
			if rule := sourceNAT(table); rule != "" {
				return rule, nil
			}
		}
	}
	return "", nil
}

func sourceNAT(table listing) string {
	for _, chain := range slices.Sorted(maps.Keys(table)) {
		for _, rule := range table[chain] {
			if to := target(rule); to == "SNAT" || to == "MASQUERADE" {
				return rule
			}
		}
	}
	return ""
}
