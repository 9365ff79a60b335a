package fwmark

import (
	"cmp"
	"slices"

	"ldirectord/internal/lvs"
)

// mergePorts sorts ranges of ports and joins overlapping ones. A nil result means every port.
func mergePorts(ports []lvs.Ports) []lvs.Ports {
	sorted := slices.SortedFunc(slices.Values(ports),
		func(a, b lvs.Ports) int { return cmp.Compare(a.First, b.First) })
	var merged []lvs.Ports
	for _, p := range sorted {
		if last := len(merged) - 1; last >= 0 && p.First <= merged[last].Last {
			merged[last].Last = max(merged[last].Last, p.Last)
			continue
		}
		merged = append(merged, p)
	}
	if slices.Equal(merged, []lvs.Ports{{First: 0, Last: 65535}}) {
		return nil
	}
	return merged
}

// splitPorts splits a list into parts that fit a multiport match: at most 15 ports, where a range counts as two
// (XT_MULTI_PORTS in linux/netfilter/xt_multiport.h). An empty list gives one empty part.
func splitPorts(ports []lvs.Ports) [][]lvs.Ports {
	const maxSlots = 15
	parts, used := [][]lvs.Ports{nil}, 0
	for _, p := range ports {
		slots := 1
		if p.First != p.Last {
			slots = 2
		}
		if used+slots > maxSlots {
			parts, used = append(parts, nil), 0
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], p)
		used += slots
	}
	return parts
}
