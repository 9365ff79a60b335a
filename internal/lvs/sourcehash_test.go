package lvs

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// internal/lab asks the kernel itself. Of 256 buckets 10.0.0.1 has number 39, and 203 with port 40000; 10.0.0.2 has
// number 137, 2001:db8::1 has 63.
func TestSourceHash(t *testing.T) {
	flags := map[string]Flags{"sh-fallback": Sched1, "sh-port": Sched2}
	for _, row := range testkit.Table(t, "testdata/sourcehash.txt", 6) {
		var all []Dest
		for i, weight := range strings.Fields(row[1]) {
			d := Dest{Addr: netip.MustParseAddrPort(fmt.Sprintf("10.2.0.%d:80", i))}
			testkit.Must(fmt.Sscan(weight, &d.Weight))(t, row)
			all = append(all, d)
		}
		d, in := SourceHash(all, flags[row[2]], netip.MustParseAddrPort(row[3]),
			func(d Dest) bool { return d.Weight > 0 })
		got := "none"
		if d.Addr.IsValid() {
			got = fmt.Sprint(d.Addr.Addr().As4()[3])
		}
		testkit.Equal(t, got, row[4], row[0])
		testkit.Equal(t, in, row[5] == "takes it", row[0], "it takes the client")
	}
}

func TestMaskedClient(t *testing.T) {
	for client, want := range map[string]struct {
		mask   uint32
		masked string
	}{
		"198.51.100.7":  {0xffffff00, "198.51.100.0"},
		"198.51.100.77": {0xff00ff0f, "198.0.100.13"},
		"198.51.100.8":  {EachClient(false), "198.51.100.8"},
		"2001:db8::77":  {64, "2001:db8::"},
		"2001:db8::78":  {EachClient(true), "2001:db8::78"},
	} {
		got := Settings{Netmask: want.mask}.Masked(netip.MustParseAddr(client))
		testkit.Equal(t, got.String(), want.masked, client, "with", want.mask)
	}
}
