package parser

import (
	"fmt"
	"net/netip"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// These values have a JSON form too. No file of the corpus has them.
func TestJSONOfValues(t *testing.T) {
	rows := testkit.Table(t, "../testdata/parser/json.txt", 4)
	for _, row := range append(rows, []string{"virtual=192.0.2.1:53; comment=caf\xe9", "virtual", "comment",
		"café"}) {
		src := rowOf(row[0])
		object := asJSON(t, mustParse(t, src))["global"]
		if row[1] == "virtual" {
			object = firstVirtual(t, src)
		}
		testkit.Equal(t, fmt.Sprint(object.(map[string]any)[row[2]]), row[3], src, row[2])
	}
}

func TestAddressesOfAVirtualService(t *testing.T) {
	cfg := mustParse(t, "virtual=192.0.2.1:80\nvirtual=3\n\tmark=192.0.2.0/28 tcp 80\n\tmark=192.0.2.33 tcp 80\n"+
		"virtual=4\n")
	for i, want := range []string{"[192.0.2.1/32]", "[192.0.2.0/28 192.0.2.33/32]", "[]"} {
		testkit.Equal(t, fmt.Sprint(cfg.Virtuals[i].Addresses()), want, cfg.Virtuals[i].ID)
	}
}

func TestFormatOfAddresses(t *testing.T) {
	for addr, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8::1": "[2001:db8::1]"} {
		testkit.Equal(t, lvs.FormatAddr(netip.MustParseAddr(addr)), want)
	}
}
