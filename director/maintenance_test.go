package director

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/parser"
)

// keeping runs a keeper in a bubble of fake time over the folder dir. 10.2.0.1 is web1.example.net.
type keeping struct {
	*keeper
	dir     string
	changed chan struct{} // as fsnotify would tell
	silent  atomic.Bool   // the name server
}

func (k *keeping) host(ctx context.Context, addr string) ([]string, error) {
	if k.silent.Load() {
		<-ctx.Done()
		return nil, errors.New("no answer")
	}
	return []string{"web" + addr[len(addr)-1:] + ".example.net."}, nil
}

func keep(t *testing.T, test func(t *testing.T, k *keeping)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		k := &keeping{dir: dir, changed: make(chan struct{})}
		k.keeper = &keeper{
			changes: make(chan map[netip.AddrPort]string), orders: make(chan order), ctx: ctx,
			watcher: func(context.Context, string) <-chan struct{} { return k.changed },
			lookup:  k.host,
			names:   map[netip.Addr]name{}, answered: make(chan map[netip.Addr]string),
		}
		ended := make(chan struct{})
		go func() { k.run(); close(ended) }()
		defer func() { end(); <-ended; synctest.Wait() }()
		test(t, k)
	})
}

// put makes a file of the folder and has that told.
func (k *keeping) put(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k.changed <- struct{}{}
}

func (k *keeping) plan(servers ...string) *Plan {
	p := &Plan{Config: &parser.Config{Global: parser.Global{MaintenanceDir: k.dir}}}
	v := &virtual{}
	for _, s := range servers {
		v.servers = append(v.servers, &server{real: &parser.Real{Addr: netip.MustParseAddrPort(s)}})
	}
	p.virtuals = []*virtual{v}
	return p
}

func TestAMaintenanceFileCountsAtOnceByEachOfItsNames(t *testing.T) {
	for _, c := range []struct{ server, file string }{
		{"10.2.0.1:80", "10.2.0.1:80"}, {"10.2.0.1:80", "10.2.0.1"},
		{"10.2.0.1:80", "web1.example.net:80"}, {"10.2.0.1:80", "web1.example.net"},
		{"10.2.0.1:80", "web1:80"}, {"10.2.0.1:80", "web1"},
		{"[fd00::1]:80", "[fd00::1]:80"}, {"[fd00::1]:80", "[fd00::1]"}, {"[fd00::1]:80", "fd00::1"}, {"[fd00::1]:80", "web1"},
	} {
		t.Run(c.server+" by "+c.file, func(t *testing.T) {
			keep(t, func(t *testing.T, k *keeping) {
				if out := k.watch(t.Context(), k.plan(c.server, "10.2.0.2:80")); len(out) != 0 {
					t.Fatalf("out at first: %v", out)
				}
				time.Sleep(lookEvery / 10)
				begin := time.Now()
				k.put(t, c.file)
				want := map[netip.AddrPort]string{netip.MustParseAddrPort(c.server): c.file}
				if out := <-k.changes; !maps.Equal(out, want) || time.Since(begin) > 0 {
					t.Errorf("out after %v: %v, want %v at once", time.Since(begin), out, want)
				}
			})
		})
	}
}

func TestASlowNameServerHoldsUpNoMaintenance(t *testing.T) {
	keep(t, func(t *testing.T, k *keeping) {
		plan := k.plan("10.2.0.1:80", "10.2.0.2:80")
		if err := os.WriteFile(filepath.Join(k.dir, "web2"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		web2 := netip.MustParseAddrPort("10.2.0.2:80")
		if out := k.watch(t.Context(), plan); out[web2] != "web2" {
			t.Fatalf("out at first: %v, want web2", out)
		}
		k.silent.Store(true)
		time.Sleep(namesValid + lookEvery + lookEvery/2) // the look-up is on its way
		begin := time.Now()
		k.put(t, "10.2.0.1")
		if out := <-k.changes; len(out) != 2 || out[web2] != "web2" || time.Since(begin) > 0 {
			t.Errorf("out after %v: %v, want both at once", time.Since(begin), out)
		}
		if out := k.watch(t.Context(), plan); len(out) != 2 || time.Since(begin) > 0 {
			t.Errorf("after a reload, %v: %v, want both at once", time.Since(begin), out)
		}
		begin = time.Now()
		k.watch(t.Context(), k.plan("10.2.0.1:80", "10.2.0.2:80", "10.2.0.3:80"))
		if took := time.Since(begin); took > lookupTime {
			t.Errorf("a new server's name was waited for %v", took)
		}
	})
}
