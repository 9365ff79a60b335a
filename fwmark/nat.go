package fwmark

import (
	"context"
	"maps"
	"os"
	"slices"

	"ldirectord/printable"
	"ldirectord/program"
)

// SourceNAT is a rule that translates the sources of packets (iptables-extensions(8): SNAT, MASQUERADE), as
// iptables prints it; "" for none. It reads tables that are there, and brings none into the kernel.
func SourceNAT(ctx context.Context) (rule string, err error) {
	for _, name := range natPrograms() {
		path, err := program.Find(name)
		if err != nil {
			continue // nobody here sets such rules
		}
		out, err := run(ctx, path, "-t", "nat", "-S")
		if err != nil {
			return "", err
		}
		if rule := sourceNAT(parseListing(out)); rule != "" {
			return rule, nil
		}
	}
	return "", nil
}

// natPrograms list the tables that the kernel has.
func natPrograms() (programs []string) {
	for _, ipv6 := range []bool{false, true} {
		if there, err := legacyTable(os.DirFS("/"), "nat", ipv6); there && err == nil {
			programs = append(programs, iptablesOf(ipv6)+"-legacy")
		}
	}
	if _, err := os.Stat("/sys/module/nf_tables"); err == nil {
		programs = append(programs, "iptables-nft", "ip6tables-nft")
	}
	return programs
}

func sourceNAT(table listing) string {
	for _, chain := range slices.Sorted(maps.Keys(table)) {
		for _, rule := range table[chain] {
			if slices.Contains([]string{"SNAT", "MASQUERADE"}, target(rule)) {
				return printable.Text(rule)
			}
		}
	}
	return ""
}
