package daemon

import "testing"

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
