package parser

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/resolve"
	"ldirectord/internal/testkit"
)

// slow is a Resolver that takes a while for each name, and counts the look-ups.
type slow struct {
	takes time.Duration
	mu    sync.Mutex
	asked map[string]int
}

// parse parses a file, which takes some time.
func (s *slow) parse(t *testing.T, src string, want time.Duration) (*Config, Diagnostics) {
	t.Helper()
	s.asked = map[string]int{}
	start := time.Now()
	cfg, found := parseWith(t, src, Options{Resolver: s})
	testkit.Equal(t, time.Since(start), want, "it took")
	return cfg, found
}

func (s *slow) wait(ctx context.Context, name string) error {
	s.mu.Lock()
	s.asked[name]++
	s.mu.Unlock()
	select {
	case <-time.After(s.takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slow) Host(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	if err := s.wait(ctx, fmt.Sprint(name, ipv6)); err != nil {
		return nil, err
	}
	return []netip.Addr{netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("192.0.2.7")}, nil
}

func (s *slow) Port(ctx context.Context, service, protocol string) (uint16, error) {
	return 80, s.wait(ctx, service+"/"+protocol)
}

// manyNames is a file with n host names, each in two sections.
func manyNames(n int) string {
	var b strings.Builder
	for port := 80; port < 82; port++ {
		fmt.Fprintf(&b, "virtual=192.0.2.1:%d\n\tservice=http\n", port)
		for i := range n {
			fmt.Fprintf(&b, "\treal=web%d:www masq\n", i)
		}
	}
	return b.String()
}

func TestLookUpsAreMadeTogetherAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: time.Second}
		cfg, found := s.parse(t, manyNames(20), time.Second)
		if cfg == nil {
			t.Fatal(found)
		}
		testkit.Equal(t, len(s.asked), 21, "names that were asked for: 20 hosts and a port")
		for name, times := range s.asked {
			testkit.Equal(t, times, 1, "times", name, "was asked for")
		}
		testkit.Equal(t, cfg.Virtuals[1].Reals[19].Addr, netip.MustParseAddrPort("192.0.2.7:80"),
			"the last server")
	})
}

// All names of a line are looked up at once, even when one of them has an error.
func TestNamesOfALineAreLookedUpTogether(t *testing.T) {
	const src = "fallback=one:tftp\nvirtual=two:http\n\tfallback=three:domain\n\treal=four->five:ssh masq\n" +
		"virtual=3\n\tmark=192.0.2.1 tcp smtp:ftp\n"
	want := []string{
		"domain/tcp", "fivefalse", "fourfalse", "ftp/tcp", "http/tcp", "onefalse", "smtp/tcp", "ssh/",
		"tftp/tcp", "tftp/udp", "threefalse", "twofalse",
	}
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: time.Second}
		if cfg, found := s.parse(t, src, time.Second); cfg == nil {
			t.Fatal(found)
		}
		testkit.Same(t, slices.Sorted(maps.Keys(s.asked)), want, "asked for")
	})
}

// After look-ups the configuration is made a second time. Limits count each time from zero.
func TestBoundsAreThoseOfOneConfiguration(t *testing.T) {
	var src strings.Builder
	src.WriteString("virtual=3\n\tmark=192.0.2.1 tcp 1")
	for port := 3; port < maxPort/2; port += 2 {
		fmt.Fprint(&src, ",", port)
	}
	src.WriteString("\n\treal=web:80 masq\n")
	for i := range 3 {
		fmt.Fprintf(&src, "\treal=10.%d.0.0->10.%d.255.255:80 masq\n", i, i)
	}
	o := Options{Resolver: answers{"web": {netip.MustParseAddr("192.0.2.7")}}}
	cfg, found := parseWith(t, src.String(), o)
	if cfg == nil || len(cfg.Virtuals[0].Reals) != 1+3*maxRange {
		t.Errorf("got %v", found.Errors())
	}
}

func TestLookUpsTogetherHaveADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, found := (&slow{takes: time.Hour}).parse(t, manyNames(100), 5*time.Second)
		if cfg != nil || len(found.Errors()) != 400 {
			t.Errorf("%d errors, want one for each host and port", len(found.Errors()))
		}
	})
}

func TestParseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := testkit.Within(t, time.Millisecond)
		s := &slow{takes: time.Hour, asked: map[string]int{}}
		start := time.Now()
		if cfg, _ := parse(ctx, "", []byte(manyNames(1)), Options{Resolver: s}); cfg != nil {
			t.Error("it was accepted")
		}
		testkit.Equal(t, time.Since(start), time.Millisecond, "it took")
	})
}

// answers is a Resolver in which each host has these addresses, if the family is asked for.
type answers map[string][]netip.Addr

func (a answers) Host(_ context.Context, name string, _ bool) ([]netip.Addr, error) {
	if a[name] == nil {
		return nil, errors.New("no answer")
	}
	return slices.Clone(a[name]), nil
}

func (a answers) Port(context.Context, string, string) (uint16, error) {
	return 0, errors.New("no ports")
}

func TestLookUpAgain(t *testing.T) {
	one, two := netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	six := netip.MustParseAddr("2001:db8::6%eth0")
	r := answers{"both": {six, one, two}, "four": {one}, "six": {six}}
	list := []resolve.Name{
		{Key: resolve.Key{Host: "six", IPv6: true}}, {Key: resolve.Key{Host: "both", IPv6: true}},
		{Key: resolve.Key{Host: "both"}, Addr: two}, {Key: resolve.Key{Host: "four", IPv6: true}},
		{Key: resolve.Key{Host: "four"}, Addr: netip.MustParseAddr("192.0.2.9")},
		{Key: resolve.Key{Host: "six"}}, {Key: resolve.Key{Host: "none"}, Addr: two},
	}
	names := resolve.Source{Resolver: r}.LookUp(t.Context(), list, nil)
	got := each(names, func(n resolve.Name) string {
		return fmt.Sprint(n.Host, " ", n.IPv6, " ", n.Addr, " ", n.Why)
	})
	want := []string{
		"both false 192.0.2.2 ", "both true 2001:db8::6 ", "four false 192.0.2.1 ",
		"four true invalid IP it has no IPv6 address", "none false 192.0.2.2 no answer",
		"six false invalid IP it has no IPv4 address", "six true 2001:db8::6 ",
	}
	testkit.Same(t, got, want)
}
