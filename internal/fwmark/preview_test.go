package fwmark

import (
	"context"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
)

// readOnly is tables with a given listing; a change would panic.
type readOnly struct {
	tables
	shown string
}

func (r readOnly) list(context.Context, bool) (listing, error) { return parseListing(r.shown), nil }

func TestPreviewWritesDownWhatSyncWouldDo(t *testing.T) {
	all := rules(t, "3 192.0.2.10 tcp 80,443", "3 2001:db8::10 all all")
	const there = `-P PREROUTING ACCEPT
-N CHAIN1
-A PREROUTING -j CHAIN1
-A CHAIN1 -d 192.0.2.10/32 -p tcp -m multiport --dports 80,443 -j MARK --set-xmark 0x3/0xffffffff
`
	for _, tc := range []struct {
		what       string
		ipv4, ipv6 string
		want       []lvs.MarkRule
		commands   string
	}{
		{"nothing wanted and nothing there", "", "", nil, ""},
		{"all is new", "-P PREROUTING ACCEPT\n", "", all, `iptables -t mangle -N CHAIN1
iptables -t mangle -A CHAIN1 -d 192.0.2.10/32 -p tcp -m multiport --dports 80,443 -j MARK --set-mark 3
iptables -t mangle -I PREROUTING 1 -j CHAIN1
ip6tables -t mangle -N CHAIN1
ip6tables -t mangle -A CHAIN1 -d 2001:db8::10/128 -j MARK --set-mark 3
ip6tables -t mangle -I PREROUTING 1 -j CHAIN1
`},
		{"it is there", there, "", all[:1], ""},
		{"it is removed", there, "", nil, `iptables -t mangle -D PREROUTING -j CHAIN1
iptables -t mangle -F CHAIN1
iptables -t mangle -X CHAIN1
`},
	} {
		own := strings.NewReplacer("CHAIN", chainPrefix("a"))
		f := open("a", readOnly{shown: own.Replace(tc.ipv4)}, readOnly{shown: own.Replace(tc.ipv6)})
		got, err := f.Preview(t.Context(), tc.want)
		want := strings.Split(strings.TrimSuffix(own.Replace(tc.commands), "\n"), "\n")
		if err != nil || !slices.Equal(got, want) && len(got)+len(tc.commands) > 0 {
			t.Errorf("%s: %v\n%s\nwant\n%s", tc.what, err, strings.Join(got, "\n"),
				strings.Join(want, "\n"))
		}
	}
}
