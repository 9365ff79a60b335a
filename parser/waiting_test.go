package parser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/resolve"
	"ldirectord/internal/testkit"
)

// hosts is a Resolver with a hosts file. For every other name the name server does not answer.
type hosts map[string]string

func (h hosts) Host(ctx context.Context, name string, _ bool) ([]netip.Addr, error) {
	if a, ok := h[name]; ok {
		return []netip.Addr{netip.MustParseAddr(a)}, nil
	}
	<-ctx.Done()
	return nil, errors.New("no answer")
}

func (h hosts) Port(context.Context, string, string) (uint16, error) {
	return 0, errors.New("no such service")
}

func TestNamesWithoutAnAnswer(t *testing.T) {
	known := func(key resolve.Key) []netip.Addr {
		switch {
		case key.Host == "old":
			return []netip.Addr{netip.MustParseAddr("192.0.2.9")}
		case key.Host == "wrong":
			return []netip.Addr{netip.MustParseAddr("2001:db8::9")}
		}
		return nil
	}
	testkit.Stories(t, "../testdata/parser/waiting.txt", 5, func(t *testing.T, row []string) {
		book := hosts{"here": "192.0.2.7", "hole": "0.0.0.0", "hole6": "::"}
		o := Options{Resolver: book, Last: known, Wait: strings.Contains(row[2], "wait")}
		cfg, found := parseWith(t, rowOf(row[1]), o)
		testkit.Equal(t, found.OnlyLookups(), strings.Contains(row[2], "lookups"), "refused for look-ups alone")
		if cfg == nil {
			errs := strings.Join(each(found.Errors(), Diagnostic.String), "; ")
			errs = strings.ReplaceAll(errs, "ld.cf:", "")
			testkit.Equal(t, errs, cmp.Or(row[4], errs))
			return
		}
		var got []string
		for _, r := range cfg.Virtuals[0].Reals {
			got = append(got, r.Addr.String())
		}
		for _, w := range cfg.Virtuals[0].Waiting {
			one := w.Name
			if w.Backup {
				one = fmt.Sprint("backup ", w.Name, " ", w.Weight)
			}
			got = append(got, "["+one+"]")
		}
		testkit.Equal(t, strings.Join(got, " "), row[4])
		testkit.Equal(t, fmt.Sprint(len(found.Warnings())), cmp.Or(row[3], "0"), "warnings", found)
	})
}

// A name of the hosts file has its address at once, and keeps it, however many names wait for a name server that does
// not respond.
func TestADeadNameServerHoldsUpNoOtherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var src strings.Builder
		src.WriteString("virtual=192.0.2.1:80\n")
		book := hosts{}
		for i := range 500 {
			fmt.Fprintf(&src, "\treal=dead%d:80 masq\n\treal=here%d:80 masq\n", i, i)
			book[fmt.Sprint("here", i)] = fmt.Sprintf("192.0.2.%d", i%250)
		}
		start := time.Now()
		cfg, found := parseWith(t, src.String(), Options{Resolver: book, Wait: true})
		if cfg == nil {
			t.Fatal(found)
		}
		if v := cfg.Virtuals[0]; len(v.Reals) != 500 || len(v.Waiting) != 500 {
			t.Errorf("%d servers have an address and %d wait, want 500 of each", len(v.Reals),
				len(v.Waiting))
		}
		if d := time.Since(start); d > resolve.LookupDeadline {
			t.Errorf("it took %v", d)
		}
	})
}

// When a name has no address at a reload, or a list is missing, the servers before stay in that section, and in no
// other one.
func TestServersThatStay(t *testing.T) {
	book := answers{"here": {netip.MustParseAddr("192.0.2.7")}}
	read := func(src string, o Options) *Config {
		o.Resolver, o.Wait = book, true
		cfg, found := parseWith(t, src, o)
		if cfg == nil {
			t.Fatal(found)
		}
		return cfg
	}
	staying := func(cfg *Config) (all []string) {
		for _, v := range cfg.Virtuals {
			for _, s := range v.Staying {
				all = append(all, v.ID+" "+s.Addr.String())
			}
		}
		return all
	}
	const one = "virtual=192.0.2.1:80\n\treal="
	const two = " masq\nvirtual=192.0.2.2:80\n\treal=192.0.2.12:80 masq\n\treal="
	before := read(one+"192.0.2.11:80"+two+"dead:80 masq\n", Options{})
	brings := read(one+"mistyped:80"+two+"dead:81 masq\n", Options{Before: before})
	refined := Options{Before: brings, Refines: true}
	const listed = "virtual=192.0.2.1:80\n\trealfile=/x masq\nvirtual=192.0.2.2:80\n\treal=192.0.2.12:80 masq\n"
	missing := func(o Options) Options {
		o.Lists = map[string]List{"/x": {Trouble: "no such file", Missing: true}}
		return o
	}
	unread := Options{Before: before, Lists: map[string]List{"/x": {Trouble: "its last line is not complete"}}}
	mistyped := read(listed, missing(Options{Before: before}))
	for _, c := range []struct {
		what string
		cfg  *Config
		want string
	}{
		{"the name is new in the first section", brings, "[tcp:192.0.2.1:80 192.0.2.11:80]"},
		{"addresses of names have changed", read(one+"mistyped:80"+two+"here:81 masq\n", refined),
			"[tcp:192.0.2.1:80 192.0.2.11:80]"},
		{"a list brings more of them", read(one+"dead2:80"+two+"dead:81 masq\n", Options{Refines: true,
			Before: read(one+"dead1:80 masq\n\treal=192.0.2.11:80"+two+"dead:81 masq\n", refined)}),
			"[tcp:192.0.2.1:80 192.0.2.11:80]"},
		{"it has an address", read(one+"here:80"+two+"dead:81 masq\n", refined), "[]"},
		{"the next reload", read(one+"mistyped:80"+two+"dead:81 masq\n", Options{Before: brings}), "[]"},
		{"a list that was empty can't be read", read(listed, unread), "[]"},
		{"a new list is missing", mistyped, "[tcp:192.0.2.1:80 192.0.2.11:80]"},
		{"it is still missing", read(listed, missing(Options{Before: mistyped, Refines: true})),
			"[tcp:192.0.2.1:80 192.0.2.11:80]"},
		{"it is there, and empty", read(listed, Options{Before: mistyped, Refines: true}), "[]"},
		{"it is missing at the next reload", read(listed, missing(Options{Before: mistyped})), "[]"},
		{"the first reading", read(one+"mistyped:80"+two+"dead:81 masq\n", Options{}), "[]"},
	} {
		testkit.Equal(t, fmt.Sprint(staying(c.cfg)), c.want, c.what)
	}
}
