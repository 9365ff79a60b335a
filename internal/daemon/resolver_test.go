package daemon

import (
	"fmt"
	"testing"

	"ldirectord/internal/testkit"
)

// The look-up follows getservbyname(3): the first entry with this name or alias counts, upper case matters, and the
// protocol may be left open.
func TestPortOfAServiceName(t *testing.T) {
	const database = `# comment 1/tcp
tcpmux
split		7002/udp
split		7001/tcp
Shop-Front	7100/tcp	shop	ShopOne	# not 7101/tcp old
a-name-of-more-than-25-letters	7200/tcp
sctponly	7300/sctp
broken		http/tcp
broken		65536/tcp
broken		7400/tcp
`
	for _, c := range []struct {
		service, protocol string
		want              uint16 // 0: none
	}{
		{"split", "", 7002},
		{"split", "tcp", 7001},
		{"split", "udp", 7002},
		{"Shop-Front", "tcp", 7100},
		{"ShopOne", "", 7100},
		{"shop-front", "tcp", 0},
		{"shop", "udp", 0},
		{"old", "", 0},
		{"7100/tcp", "", 0},
		{"a-name-of-more-than-25-letters", "tcp", 7200},
		{"sctponly", "", 7300},
		{"broken", "", 7400},
		{"tcpmux", "", 0},
	} {
		if got, _ := portIn(database, c.service, c.protocol); got != c.want {
			t.Errorf("%s of %q: %d, want %d", c.service, c.protocol, got, c.want)
		}
	}
}

// The hosts file counts as in hosts(5): any letters, aliases, several lines of one name, each family for itself.
func TestAddressesInAHostsFile(t *testing.T) {
	const file = `# 192.0.2.9 rs1
192.0.2.1	rs1 Web.example.net # rs9
2001:db8::1	rs1 rs6
192.0.2.2 rs1.
::ffff:192.0.2.3 mapped
wrong rs1
192.0.2.4
`
	n := systemNames{func() hosts { return hostsIn(file) }}
	for _, c := range []struct {
		name string
		ipv6 bool
		want string
	}{
		{"rs1", false, "[192.0.2.1 192.0.2.2]"},
		{"rs1", true, "[2001:db8::1]"},
		{"WEB.example.net.", false, "[192.0.2.1]"},
		{"rs6", true, "[2001:db8::1]"},
		{"mapped", false, "[::ffff:192.0.2.3]"},
	} {
		got, err := n.Host(t.Context(), c.name, c.ipv6)
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.want)
		}
	}
	if got := hostsIn(file); len(got) != 4 {
		t.Errorf("names of the file: %v", got)
	}
}

func TestTheHostsFileIsAskedFirst(t *testing.T) {
	for order, want := range map[string]bool{
		"":                                     true,
		"passwd: dns\n hosts:\tfiles dns\n":    true,
		"hosts: dns files # files dns\n":       false,
		"# hosts: files\nhosts: resolve dns\n": false,
	} {
		testkit.Equal(t, hostsFirst(order), want, order)
	}
}
