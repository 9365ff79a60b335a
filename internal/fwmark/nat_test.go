package fwmark

import (
	"testing"

	"ldirectord/internal/testkit"
)

func TestSourceNATIsFoundInEveryChain(t *testing.T) {
	for output, want := range map[string]string{
		"-P PREROUTING ACCEPT\n-P POSTROUTING ACCEPT\n":                                           "",
		"-P PREROUTING ACCEPT\n-A PREROUTING -d 192.0.2.1/32 -j DNAT --to-destination 10.0.0.1\n": "",
		"-P POSTROUTING ACCEPT\n-A POSTROUTING -o eth0 -j " +
			"MASQUERADE\n": "-o eth0 -j MASQUERADE",
		"-P POSTROUTING ACCEPT\n-N out\n-A POSTROUTING -j out\n" +
			"-A out -j SNAT --to-source 198.51.100.1\n": "-j SNAT --to-source 198.51.100.1",
	} {
		testkit.Equal(t, sourceNAT(parseListing(output)), want, output)
	}
}
