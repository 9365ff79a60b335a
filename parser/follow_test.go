package parser

import (
	"fmt"
	"net/netip"
	"testing"

	"ldirectord/internal/resolve"
	"ldirectord/internal/testkit"
)

// Names of real servers are looked up again later, unless a range or a virtual service uses the same name. The
// address in use is kept while the answers have it, and a name never gets an address that the file gives another
// server.
func TestNamesThatAreFollowed(t *testing.T) {
	addrs := func(texts ...string) (list []netip.Addr) {
		for _, text := range texts {
			list = append(list, netip.MustParseAddr(text))
		}
		return list
	}
	book := answers{
		"vip": addrs("192.0.2.1"), "web": addrs("192.0.2.11"), "moved": addrs("192.0.2.12"),
		"first":   addrs("192.0.2.20"),
		"several": addrs("192.0.2.13", "192.0.2.14"), "own": addrs("192.0.2.1"), "next": addrs("192.0.2.2"),
		"marked": addrs("192.0.2.3"),
	}
	known := map[string][]netip.Addr{
		"moved": addrs("192.0.2.31", "192.0.2.32"), "several": addrs("192.0.2.14"),
		"lost": addrs("192.0.2.34", "192.0.2.35"),
		"own":  addrs("192.0.2.36"), "next": addrs("192.0.2.1"),
	}
	last := func(key resolve.Key) []netip.Addr { return known[key.Host] }
	const src = `virtual = vip:80
	real = web:80 masq
	real = moved:80 masq
	real = several:80 masq
	real = lost:80 masq
	real = own:80 masq
	real = next:80 masq
	real = marked:80 masq
	real = new:80 masq
	real = first->192.0.2.21:80 masq
virtual = 192.0.2.2:80
	real = first:80 masq
	real = vip:80 masq
virtual = 1
	mark = 192.0.2.3 tcp 80
	real = 192.0.2.11:80 masq
`
	cfg, found := parseWith(t, "resolve = 30\n"+src,
		Options{Resolver: book, Last: last, Wait: true})
	if cfg == nil {
		t.Fatal(found)
	}
	got := each(cfg.Names, func(n resolve.Name) string {
		return fmt.Sprintf("%s %v %v %v %s", n.Host, n.Followed, n.Addr, n.Earlier, n.Why)
	})
	want := []string{
		"first false 192.0.2.20 [] ",
		"lost true 192.0.2.34 [192.0.2.35] no answer",
		"marked true invalid IP [] the answer 192.0.2.3 is refused because it is a virtual address of the file",
		"moved true 192.0.2.12 [192.0.2.31 192.0.2.32] ",
		"new true invalid IP [] no answer",
		"next true invalid IP [192.0.2.1] the answer 192.0.2.2 is refused because it is a virtual address of " +
			"the file",
		"own true 192.0.2.36 [] the answer 192.0.2.1 is refused because it is a virtual address of the file",
		"several true 192.0.2.14 [] ",
		"vip false 192.0.2.1 [] ",
		"web true 192.0.2.11 [] ",
	}
	testkit.Same(t, got, want)
	cfg, _ = parseWith(t, src, Options{Resolver: book, Last: last, Wait: true})
	for _, n := range cfg.Names {
		if n.Followed || n.Earlier != nil || n.Host == "several" && n.Addr != book["several"][0] ||
			n.Host == "own" && n.Addr != book["own"][0] || n.Host == "lost" &&
			(n.Addr != known["lost"][0] || n.Why != "no answer") {
			t.Errorf("without resolve: %+v", n)
		}
	}
}

// When a name is looked up again, it may lead to this machine only if it did so when the file was read. An address
// that no host can have is refused.
func TestAnswersThatAreRefused(t *testing.T) {
	own := netip.MustParseAddr("192.0.2.77")
	isOwn := func(a netip.Addr) bool { return a == own || a == netip.MustParseAddr("2001:db8::77") }
	for _, row := range testkit.Table(t, "../testdata/parser/refused.txt", 3) {
		answer, anywhere := netip.MustParseAddr(row[0]), row[2] == "yes"
		src, before := "virtual=192.0.2.1:80\n\treal=web:80 masq\n", netip.MustParseAddr("192.0.2.11")
		six := answer.Unmap().Is6()
		if six {
			src = "virtual6=[2001:db8::1]:80\n\treal6=web:80 masq\n"
			before = netip.MustParseAddr("2001:db8::11")
		}
		o := Options{Resolver: answers{"web": {answer}}, Own: isOwn, Wait: true}
		read := func(last ...netip.Addr) resolve.Name {
			o.Last = func(resolve.Key) []netip.Addr { return last }
			cfg, found := parseWith(t, "resolve=1\n"+src, o)
			if cfg == nil || len(cfg.Names) != 1 {
				t.Fatal(row[0], found)
			}
			lookUp := func(had netip.Addr) resolve.Name {
				list := []resolve.Name{
					{Key: resolve.Key{Host: "web", IPv6: six}, Addr: had, Followed: true}}
				return resolve.Source{Resolver: o.Resolver, Own: o.Own}.LookUp(t.Context(), list,
					cfg.OwnAddresses())[0]
			}
			again := lookUp(before)
			if wants := row[1] != ""; (again.Why != "") != wants || wants && again.Addr != before {
				t.Errorf("%s while it runs: %v", row[0], again)
			}
			testkit.Equal(t, lookUp(answer.Unmap()).Why != "", anywhere, row[0], "which it was read with")
			return cfg.Names[0]
		}
		why := ""
		if row[1] != "" {
			why = "the answer " + answer.Unmap().String() + " is refused because it is " + row[1]
		}
		if n := read(before); n.Why != why || why != "" && n.Addr != before {
			t.Errorf("%s at a reading with another address before: %v", row[0], n)
		}
		if n := read(); (n.Why != "") != anywhere || n.Addr.IsValid() == anywhere {
			t.Errorf("%s at the first reading: %v", row[0], n)
		}
	}
}
