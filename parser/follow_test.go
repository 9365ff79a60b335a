package parser

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// Names of real servers are followed, unless a range or a virtual service has the same one. An address that is still in
// an answer stays, and none of the file's own is taken.
func TestNamesThatAreFollowed(t *testing.T) {
	addrs := func(texts ...string) (list []netip.Addr) {
		for _, text := range texts {
			list = append(list, netip.MustParseAddr(text))
		}
		return list
	}
	book := answers{
		"vip": addrs("192.0.2.1"), "web": addrs("192.0.2.11"), "moved": addrs("192.0.2.12"), "first": addrs("192.0.2.20"),
		"several": addrs("192.0.2.13", "192.0.2.14"), "own": addrs("192.0.2.1"), "next": addrs("192.0.2.2"), "marked": addrs("192.0.2.3"),
	}
	known := map[string][]netip.Addr{
		"moved": addrs("192.0.2.31", "192.0.2.32"), "several": addrs("192.0.2.14"), "lost": addrs("192.0.2.34", "192.0.2.35"),
		"own": addrs("192.0.2.36"), "next": addrs("192.0.2.1"),
	}
	last := func(host string, _ bool) []netip.Addr { return known[host] }
	const src = `virtual = vip:80
	real = web:80 masq
	real = moved:80 masq
	real = several:80 masq
	real = lost:80 masq
	real = own:80 masq
	real = next:80 masq
	real = marked:80 masq
	real = first->192.0.2.21:80 masq
virtual = 192.0.2.2:80
	real = first:80 masq
	real = vip:80 masq
virtual = 1
	mark = 192.0.2.3 tcp 80
	real = 192.0.2.11:80 masq
`
	cfg, found := parse(t.Context(), "", []byte("resolve = 30\n"+src), Options{Resolver: book, Last: last, Wait: true})
	if cfg == nil {
		t.Fatal(found)
	}
	var got []string
	for _, n := range cfg.Names {
		got = append(got, fmt.Sprintf("%s %v %v %v %s", n.Host, n.Followed, n.Addr, n.Earlier, n.Why))
	}
	want := []string{
		"first false 192.0.2.20 [] ",
		"lost true 192.0.2.34 [192.0.2.35] no answer",
		"marked true invalid IP [] the answer 192.0.2.3 is refused, it is a virtual address of the file",
		"moved true 192.0.2.12 [192.0.2.31 192.0.2.32] ",
		"next true invalid IP [192.0.2.1] the answer 192.0.2.2 is refused, it is a virtual address of the file",
		"own true 192.0.2.36 [] the answer 192.0.2.1 is refused, it is a virtual address of the file",
		"several true 192.0.2.14 [] ",
		"vip false 192.0.2.1 [] ",
		"web true 192.0.2.11 [] ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	cfg, _ = parse(t.Context(), "", []byte(src), Options{Resolver: book, Last: last, Wait: true})
	for _, n := range cfg.Names {
		if n.Followed || n.Earlier != nil || n.Host == "several" && n.Addr != book["several"][0] || n.Host == "own" && n.Addr != book["own"][0] {
			t.Errorf("without resolve: %+v", n)
		}
	}
}
