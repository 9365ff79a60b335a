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
	const virtual = "virtual=192.0.2.1:53\n\treal=192.0.2.2:53 masq\n"
	for _, row := range []struct{ src, part, key, want string }{
		{virtual + "\tcomment=caf\xe9\n", "virtual", "comment", "café"},
		{virtual + "\tcomment=café\n", "virtual", "comment", "café"},
		{virtual + "\tcomment=\n", "virtual", "comment", ""},
		{virtual, "virtual", "comment", "<nil>"},
		{"fallback=192.0.2.9\n", "global", "fallback", "map[tcp:map[forward:gate port:<nil> server:192.0.2.9 weight:1] udp:map[forward:gate port:<nil> server:192.0.2.9 weight:1]]"},
		{"fallback=192.0.2.9:80 masq\n", "global", "fallback", "map[tcp:map[forward:masq port:80 server:192.0.2.9 weight:1] udp:map[forward:masq port:80 server:192.0.2.9 weight:1]]"},
		{virtual + "\tops=yes\n", "virtual", "ipvsadm", "-u 192.0.2.1:53 -o -s wrr"},
		{virtual + "\tprotocol=tcp\n\tops=yes\n", "virtual", "ipvsadm", "-t 192.0.2.1:53 -s wrr"},
		{virtual + "\tpersistent=1\n\tpename=sip\n\tnetmask=255.0.0.0\n", "virtual", "ipvsadm", "-u 192.0.2.1:53 -s wrr -p 1 -M 255.0.0.0 --pe sip"},
		{virtual + "\tpename=sip\n\tnetmask=255.0.0.0\n", "virtual", "ipvsadm", "-u 192.0.2.1:53 -s wrr"},
		{"virtual6=5\n\tschedflags=sh-port\n", "virtual", "ipvsadm", "-f 5 -6 -s wrr -b sh-port"},
		{"window=3/4\n", "global", "window", "3/4"},
		{"keepserving=50%\n", "global", "keepserving", "50%"},
		{"keepserving=2 # of four\n", "global", "keepserving", "2"},
		{"keepserving=0%\n", "global", "keepserving", "<nil>"},
		{"onchange=/bin/x\n", "global", "onchange", "/bin/x"},
		{"listen=[::1]:97\n", "global", "listen", "[::1]:97"},
		{"emailalertstatus=none\n", "global", "emailalertstatus", "[]"},
		{"emailalertstatus=reloading,starting\n", "global", "emailalertstatus", "[starting reloading]"},
	} {
		object := asJSON(t, mustParse(t, row.src))["global"]
		if row.part == "virtual" {
			object = firstVirtual(t, row.src)
		}
		testkit.Equal(t, fmt.Sprint(object.(map[string]any)[row.key]), row.want, row.src, row.key)
	}
}

func TestAddressesOfAVirtualService(t *testing.T) {
	cfg := mustParse(t, "virtual=192.0.2.1:80\nvirtual=3\n\tmark=192.0.2.0/28 tcp 80\n\tmark=192.0.2.33 tcp 80\nvirtual=4\n")
	for i, want := range []string{"[192.0.2.1/32]", "[192.0.2.0/28 192.0.2.33/32]", "[]"} {
		testkit.Equal(t, fmt.Sprint(cfg.Virtuals[i].Addresses()), want, cfg.Virtuals[i].ID)
	}
}

func TestFormatOfAddresses(t *testing.T) {
	for addr, want := range map[string]string{"192.0.2.1": "192.0.2.1", "2001:db8::1": "[2001:db8::1]"} {
		testkit.Equal(t, lvs.FormatAddr(netip.MustParseAddr(addr)), want)
	}
}
