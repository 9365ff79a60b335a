package maintenance

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/testkit"
)

// watching is a Watcher in a bubble of fake time, with a folder. The name of 10.2.0.1 is web1.example.net.
type watching struct {
	*Watcher
	t       *testing.T
	ctx     context.Context
	dir     string
	changed chan struct{} // receives a value as fsnotify would send it
	silent  atomic.Bool   // the name server does not answer
	stale   atomic.Bool   // the folder can't be read
}

func (w *watching) host(ctx context.Context, addr string) ([]string, error) {
	if w.silent.Load() {
		<-ctx.Done()
		return nil, errors.New("no answer")
	}
	return []string{"web" + addr[len(addr)-1:] + ".example.net."}, nil
}

func watch(t *testing.T, test func(t *testing.T, w *watching)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		// Without an end, a test that waits for nothing would never be a deadlock.
		ctx, end := context.WithTimeout(t.Context(), 10*time.Minute)
		w := &watching{t: t, ctx: ctx, dir: dir, changed: make(chan struct{})}
		w.Watcher = New(func(context.Context, string) <-chan struct{} { return w.changed })
		w.names = newNames(w.host)
		w.list = func(dir string) (map[string]bool, error) {
			if w.stale.Load() {
				return nil, errors.New("stale file handle")
			}
			return entries(dir)
		}
		defer func() { end(); synctest.Wait() }()
		test(t, w)
	})
}

// over starts watching for these servers.
func (w *watching) over(servers ...string) <-chan Reading {
	var list []Server
	for _, s := range servers {
		list = append(list, Server{Addr: netip.MustParseAddrPort(s)})
	}
	return w.Watch(w.ctx, w.dir, list)
}

// write writes a file in the folder.
func (w *watching) write(name string) {
	w.t.Helper()
	testkit.Write(w.t, filepath.Join(w.dir, name), "")
}

// put writes a file in the folder and notifies the Watcher.
func (w *watching) put(name string) {
	w.t.Helper()
	w.write(name)
	w.changed <- struct{}{}
}

func TestAFileCountsAtOnceByEachOfItsNames(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/files.txt", 2) {
		server, file := row[0], row[1]
		t.Run(server+" by "+file, func(t *testing.T) {
			watch(t, func(t *testing.T, w *watching) {
				readings := w.over(server, "10.2.0.2:80", "[fd00::1]:80")
				if r := <-readings; len(r.Out) != 0 || r.Err != nil {
					t.Fatalf("at first: %v", r)
				}
				time.Sleep(pollInterval / 10)
				begin := time.Now()
				w.put(file)
				if file[0] == 'w' { // the name is looked up first
					w.learnt(readings, server)
					return
				}
				want := map[netip.AddrPort]string{netip.MustParseAddrPort(server): file}
				if r := <-readings; !maps.Equal(r.Out, want) || time.Since(begin) > 0 {
					t.Errorf("out after %v: %v, want %v at once", time.Since(begin), r.Out, want)
				}
			})
		})
	}
}

// learnt expects a server to be out at once, now that its name is known.
func (w *watching) learnt(readings <-chan Reading, server string) {
	w.t.Helper()
	begin := time.Now()
	if r := <-readings; r.Out[netip.MustParseAddrPort(server)] == "" || time.Since(begin) > 0 {
		w.t.Errorf("out after %v: %v, want %s at once", time.Since(begin), r.Out, server)
	}
}

func TestASlowNameServerHoldsUpNoMaintenance(t *testing.T) {
	watch(t, func(t *testing.T, w *watching) {
		w.write("web2")
		web2 := netip.MustParseAddrPort("10.2.0.2:80")
		readings := w.over("10.2.0.1:80", "10.2.0.2:80")
		if r := <-readings; r.Out[web2] != "web2" {
			t.Fatalf("out at first: %v, want web2", r.Out)
		}
		w.silent.Store(true)
		time.Sleep(namesValid + pollInterval + pollInterval/2) // the look-up is under way
		begin := time.Now()
		w.put("10.2.0.1")
		if r := <-readings; len(r.Out) != 2 || r.Out[web2] != "web2" || time.Since(begin) > 0 {
			t.Errorf("out after %v: %v, want both at once", time.Since(begin), r.Out)
		}
		if r := <-w.over("10.2.0.1:80", "10.2.0.2:80"); len(r.Out) != 2 || time.Since(begin) > 0 {
			t.Errorf("another plan, after %v: %v, want both at once", time.Since(begin), r.Out)
		}
		begin = time.Now()
		<-w.over("10.2.0.1:80", "10.2.0.2:80", "10.2.0.3:80")
		if took := time.Since(begin); took > lookupTimeout {
			t.Errorf("a new server's name was waited for %v", took)
		}
	})
}

func TestAFolderThatCantBeReadTellsOfNobody(t *testing.T) {
	watch(t, func(t *testing.T, w *watching) {
		first := netip.MustParseAddrPort("10.2.0.1:80")
		w.write("10.2.0.1")
		readings := w.over("10.2.0.1:80")
		<-readings
		w.stale.Store(true)
		if r := <-readings; r.Err == nil || r.Out != nil {
			t.Errorf("while it can't be read: %v", r)
		}
		if r := <-w.over("10.2.0.1:80"); r.Err == nil || r.Out != nil {
			t.Errorf("another plan: %v", r)
		}
		w.stale.Store(false)
		if r := <-readings; r.Err != nil || r.Out[first] == "" {
			t.Errorf("afterwards: %v", r)
		}
	})
}

func TestWhatCountsAsAFolder(t *testing.T) {
	dir := t.TempDir()
	// an empty one, and one that is not there yet
	for _, folder := range []string{dir, filepath.Join(dir, "none")} {
		testkit.Equal(t, len(testkit.Must(entries(folder))(t)), 0, folder)
	}
	file := filepath.Join(dir, "file")
	testkit.Write(t, file, "")
	testkit.Same(t, testkit.Must(entries(dir))(t), map[string]bool{"file": true})
	testkit.FailsWith(t, testkit.Error(entries(file)), "not a directory")
}

// A folder that hangs blocks one goroutine, however often it is watched, and no reader.
func TestAFolderThatHangsHoldsOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		defer close(hung)
		var asked atomic.Int32
		w := New(func(context.Context, string) <-chan struct{} { asked.Add(1); <-hung; return nil })
		ctx, end := context.WithCancel(t.Context())
		for range 10 {
			readings := w.Watch(ctx, "/mnt/gone", nil)
			synctest.Wait()
			select {
			case r := <-readings:
				t.Errorf("a reading of a folder that hangs: %v", r)
			default:
			}
		}
		end()
		synctest.Wait()
		if left := watches(); left != 1 || asked.Load() != 1 {
			t.Errorf("%d goroutines are left, %d asked the file system; want 1 and 1", left, asked.Load())
		}
	})
}

// watches counts the goroutines that watch a folder in this test. Those of earlier tests are in no bubble, or have
// ended.
func watches() (n int) {
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "synctest bubble") && strings.Contains(stack, "(*folder).run(") {
			n++
		}
	}
	return n
}

func TestOnlyAFileHasANote(t *testing.T) {
	dir := t.TempDir()
	testkit.OK(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	for _, name := range []string{"pipe", ".", "gone"} {
		got, _ := readNote(filepath.Join(dir, name))
		testkit.Equal(t, got, note{}, name)
	}
}

// When the name server answers without a name, or with an error, a server has no name. A later failure removes no
// known name.
func TestNamesThatCantBeHad(t *testing.T) {
	var answer []string
	var failure error
	n := newNames(func(context.Context, string) ([]string, error) { return answer, failure })
	server := netip.MustParseAddrPort("10.2.0.1:80")
	ask := func() string {
		n.resolve(t.Context(), []netip.Addr{server.Addr()})
		return n.of(server.Addr()).host
	}
	due := func() int { return len(n.due([]Server{{Addr: server}, {Addr: server}}, time.Time{})) } // in two
	over, end := context.WithCancel(t.Context())
	end()
	n.resolve(over, []netip.Addr{server.Addr()})
	testkit.Equal(t, due(), 1, "no time was left to look it up")
	testkit.Equal(t, ask(), "")
	testkit.Equal(t, due(), 0)
	answer, failure = []string{"wrong."}, errors.New("refused")
	testkit.Equal(t, ask(), "", "an error gives the name")
	answer, failure = []string{"web1.example.net.", "other."}, nil
	testkit.Equal(t, ask(), "web1.example.net")
	answer = nil
	testkit.Equal(t, ask(), "web1.example.net", "after a failure")
}

func TestTheNamesOfFormerServersAreForgotten(t *testing.T) {
	watch(t, func(t *testing.T, w *watching) {
		w.write("web2")
		all := w.ctx
		former, end := context.WithCancel(all)
		w.ctx = former
		<-w.over("10.2.0.1:80", "10.2.0.2:80")
		end()
		w.ctx = all
		<-w.over("10.2.0.2:80")
		time.Sleep(2*namesValid + namesKept)
		for server, is := range map[string]bool{"10.2.0.1": false, "10.2.0.2": true} {
			testkit.Equal(t, w.names.of(netip.MustParseAddr(server)).host != "", is, server)
		}
	})
}

// A server that the configuration names by a host name is matched by that name, whatever name its address has.
func TestTheNameOfTheConfigurationCounts(t *testing.T) {
	n := newNames(func(context.Context, string) ([]string, error) { return []string{"other.example.net."}, nil })
	s := Server{Addr: netip.MustParseAddrPort("10.2.0.7:80"), Host: "app.example.net"}
	n.resolve(t.Context(), []netip.Addr{s.Addr.Addr()})
	want := "10.2.0.7:80 10.2.0.7 app.example.net:80 app.example.net app:80 app other.example.net:80 " +
		"other.example.net other:80 other"
	testkit.Equal(t, strings.Join(n.files(s), " "), want)
}
