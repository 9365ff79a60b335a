package lvs

import (
	"net/netip"
	"testing"
)

// internal/lab asks the kernel itself. Of 256 buckets 10.0.0.1 has number 39, and 203 with port 40000; 10.0.0.2 has
// number 137, 2001:db8::1 has 63.
func TestSourceHash(t *testing.T) {
	for name, c := range map[string]struct {
		weights []uint32
		flags   Flags
		client  string
		want    int // the server; -1: none
		in      bool
	}{
		"in turn":                              {[]uint32{1, 1, 1}, 0, "10.0.0.1:0", 0, true},
		"in turn, another":                     {[]uint32{1, 1, 1}, 0, "10.0.0.2:0", 2, true},
		"IPv6":                                 {[]uint32{1, 1, 1, 1}, 0, "[2001:db8::1]:0", 3, true},
		"a port has no effect":                 {[]uint32{1, 1, 1}, 0, "10.0.0.1:40000", 0, true},
		"sh-port":                              {[]uint32{1, 1, 1}, Sched2, "10.0.0.1:40000", 2, true},
		"by weight":                            {[]uint32{70, 70}, 0, "10.0.0.2:0", 1, true},
		"by weight, the first":                 {[]uint32{70, 70}, 0, "10.0.0.1:0", 0, true},
		"a weight above the table":             {[]uint32{1000, 1}, 0, "10.0.0.2:0", 0, true},
		"weight 0 has one bucket, and refuses": {[]uint32{3, 1, 0}, 0, "10.0.0.1:0", 2, false},
		"sh-fallback begins at twice the hash": {[]uint32{3, 1, 0}, Sched1, "10.0.0.1:0", 1, true},
		"sh-fallback, all refuse":              {[]uint32{0, 0}, Sched1, "10.0.0.1:0", 1, false},
		"no server":                            {nil, Sched1, "10.0.0.1:0", -1, false},
	} {
		var all []Dest
		for i, w := range c.weights {
			all = append(all, Dest{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}),
				80), Weight: w})
		}
		d, in := SourceHash(all, c.flags, netip.MustParseAddrPort(c.client),
			func(d Dest) bool { return d.Weight > 0 })
		got := -1
		if d.Addr.IsValid() {
			got = int(d.Addr.Addr().As4()[3])
		}
		if got != c.want || in != c.in {
			t.Errorf("%s: server %d, %t; want %d, %t", name, got, in, c.want, c.in)
		}
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
		if got := (Settings{Netmask: want.mask}).Masked(
			netip.MustParseAddr(client)); got.String() != want.masked {
			t.Errorf("%s with %x: %s, want %s", client, want.mask, got, want.masked)
		}
	}
}
