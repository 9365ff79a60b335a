package resolve

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/testkit"
)

// addrs are addresses from their texts.
func addrs(texts ...string) (list []netip.Addr) {
	for _, t := range texts {
		list = append(list, netip.MustParseAddr(t))
	}
	return list
}

// later is a Resolver whose names get their addresses after some time. It records when it was asked.
type later struct {
	begun time.Time
	names map[string]time.Duration
	addrs []netip.Addr

	mu    sync.Mutex
	asked []time.Duration
}

func (l *later) Host(_ context.Context, name string, _ bool) ([]netip.Addr, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	since := time.Since(l.begun)
	l.asked = append(l.asked, since)
	if after, ok := l.names[name]; ok && since >= after {
		return l.addrs, nil
	}
	return nil, errors.New("no answer")
}

func (l *later) Port(context.Context, string, string) (uint16, error) {
	return 0, errors.New("no service")
}

// await looks names up with a resolver, with growing pauses.
func await(ctx context.Context, r Resolver, list ...Name) []Name {
	lookUp := func(ctx context.Context) []Name { return Source{Resolver: r}.LookUp(ctx, list, nil) }
	return Await(ctx, lookUp, list, time.Second, 0, time.Minute)
}

func TestNamesAreLookedUpLessAndLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &later{begun: time.Now(), names: map[string]time.Duration{"web1": 3 * time.Minute},
			addrs: addrs("192.0.2.7")}
		found := await(t.Context(), l, Name{Key: Key{Host: "web1"}, Why: "no answer"})
		if len(found) != 1 || found[0].Addr != l.addrs[0] || found[0].Why != "" {
			t.Errorf("found %v", found)
		}
		want := []time.Duration{1, 3, 7, 15, 31, 63, 123, 183}
		for i := range want {
			want[i] *= time.Second
		}
		testkit.Same(t, l.asked, want, "asked after")
	})
}

// A name that is found does not wait for another one. Its addresses may come in any order: the one in use stays as long
// as it is among them.
func TestANameThatIsFoundKeepsItsAddressAndDoesNotWait(t *testing.T) {
	for _, c := range []struct{ last, want string }{{"192.0.2.8", "192.0.2.8"}, {"192.0.2.9", "192.0.2.7"}} {
		l := &later{names: map[string]time.Duration{"web2": 0}, addrs: addrs("192.0.2.7", "192.0.2.8")}
		synctest.Test(t, func(t *testing.T) {
			found := await(t.Context(), l, Name{Key: Key{Host: "web1"}, Why: "no answer"},
				Name{Key: Key{Host: "web2"}, Addr: netip.MustParseAddr(c.last), Why: "no answer"})
			if len(found) != 1 || found[0].Host != "web2" || found[0].Addr.String() != c.want {
				t.Errorf("%s: found %v, want web2 alone, at %s", c.last, found, c.want)
			}
		})
	}
}

func TestTheSearchEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := testkit.Within(t, 10*time.Second)
		if found := await(ctx, &later{}, Name{Key: Key{Host: "web1"}, Why: "no answer"}); found != nil {
			t.Errorf("found %v", found)
		}
	})
}

func TestNamesAreKept(t *testing.T) {
	f := File(filepath.Join(t.TempDir(), "ldirectord.ld.cf.names"))
	testkit.Equal(t, len(f.Last()(Key{Host: "web1"})), 0, "without a file")
	names := []Name{
		{Key: Key{Host: "web1"}, Addr: netip.MustParseAddr("192.0.2.7")},
		{Key: Key{"web1", true}, Addr: netip.MustParseAddr("2001:db8::7")},
		{Key: Key{Host: "web2"}, Addr: netip.MustParseAddr("192.0.2.8"), Why: "no answer",
			Earlier: addrs("192.0.2.10", "192.0.2.9")},
		{Key: Key{Host: "web3"}, Why: "no answer"},
	}
	testkit.OK(t, f.Write(names))
	table := NewTable(Source{Last: f.Last()})
	for _, n := range append(names, Name{Key: Key{Host: "web4"}}) {
		want := n.addrs()
		if !n.Addr.IsValid() {
			want = nil
		}
		testkit.Same(t, table.lastOf(n.Key), want, n)
	}
	testkit.OK(t, f.Write(nil))
	testkit.FailsWith(t, testkit.Error(os.Stat(string(f))), "no such file", "without names")
}

func TestADamagedFileOfNamesKnowsNone(t *testing.T) {
	f := File(filepath.Join(t.TempDir(), "ldirectord.ld.cf.names"))
	for _, text := range []string{
		"", "{", `{"Format":2,"Names":{"web1":["192.0.2.300"]}}`, `{"Format":9,"Names":{"web1":["192.0.2.7"]}}`,
		strings.Repeat("x", 100_000),
	} {
		testkit.Write(t, string(f), text)
		testkit.Equal(t, len(f.Last()(Key{Host: "web1"})), 0, text)
	}
}

func TestNoMoreNamesAreKeptThanCanBeRead(t *testing.T) {
	f := File(filepath.Join(t.TempDir(), "ldirectord.ld.cf.names"))
	var names []Name
	for i := range maxNames + 1 {
		names = append(names, Name{Key: Key{fmt.Sprintf("%020d", i), true},
			Addr: netip.MustParseAddr("2001:db8:1111:2222:3333:4444:5555:6666")})
	}
	testkit.OK(t, f.Write(names))
	testkit.Equal(t, len(f.read()), maxNames)
}
