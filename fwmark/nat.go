package fwmark

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"ldirectord/printable"
	"ldirectord/program"
)

// SourceNAT is a rule that translates the sources of packets (iptables-extensions(8): SNAT, MASQUERADE), as
// iptables prints it; "" for none. It reads tables that are there, and brings none into the kernel.
func SourceNAT(ctx context.Context) (rule string, err error) {
	return firstRule(ctx, "nat", translates)
}

func translates(rule string) bool {
	return slices.Contains([]string{"SNAT", "MASQUERADE"}, target(rule))
}

// StateRule is a rule that looks at the state of connections (iptables-extensions(8): conntrack, state; nft(8): ct
// state), found as by SourceNAT.
func StateRule(ctx context.Context) (rule string, err error) {
	if rule, err = firstRule(ctx, "filter", looksAtState); rule != "" || err != nil {
		return rule, err
	}
	path, err := program.Find("nft")
	if _, noNFT := os.Stat("/sys/module/nf_tables"); err != nil || noNFT != nil {
		return "", nil
	}
	out, err := run(ctx, path, "list", "ruleset")
	for line := range strings.Lines(out) {
		if strings.Contains(line, "ct state ") {
			return printable.Text(strings.TrimSpace(line)), nil
		}
	}
	return "", err
}

func looksAtState(rule string) bool { return after(rule, "--ctstate", "--state") != "" }

// firstRule is a rule of a table of iptables.
func firstRule(ctx context.Context, name string, is func(rule string) bool) (rule string, err error) {
	_, noNFT := os.Stat("/sys/module/nf_tables")
	for _, b := range []BackEnd{Legacy, NFT} {
		for _, ipv6 := range []bool{false, true} {
			path, err := program.Find(programOf(b, ipv6))
			if err != nil || b == NFT && noNFT != nil {
				continue // nobody here sets such rules
			}
			table, err := listPresent(ctx, path, b, name, ipv6)
			if err != nil {
				return "", err
			}
			if rule := table.first(is); rule != "" {
				return rule, nil
			}
		}
	}
	return "", nil
}

// first is the first rule that is of a kind, "" for none.
func (l listing) first(is func(rule string) bool) string {
	for _, chain := range slices.Sorted(maps.Keys(l)) {
		if i := slices.IndexFunc(l[chain], is); i >= 0 {
			return printable.Text(l[chain][i])
		}
	}
	return ""
}
