package lab

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The death of a server is seen at once with watch, though it is checked every 10 s; a connection that ends alone, or
// with others, takes nobody out.
func TestKernelLongWatch(t *testing.T) {
	if os.Getenv("WATCHED_SERVER") != "" {
		serveWatched()
	}
	onlyLong(t)
	const interval, timeout, atOnce = 10 * time.Second, time.Second, 20 * time.Millisecond
	const byInterval = interval*11/10 + timeout
	w := newWatchLab(t, 5)
	path := w.config(fmt.Sprintf("checkinterval = %v\nchecktimeout = %v\nwatch = 1\nvirtual = %s:80\n"+
		"        service = http\n        request = \"check\"\n        receive = \"OK\"\n%s",
		interval, timeout, natVIP, w.reals()))
	w.run(0, path, "start")
	w.back()
	for _, row := range []struct {
		fault       string
		fail, heal  func(ns string)
		first, most time.Duration // out of the table
	}{
		{"killed", w.signal(syscall.SIGKILL), w.serve, atOnce, interval},
		{"stopped by SIGTERM", w.signal(syscall.SIGTERM), w.serve, atOnce, interval},
		{"unplugged", w.link("down"), w.link("up"), 2500*time.Millisecond + timeout, 3500*time.Millisecond + timeout},
		{"frozen", w.signal(syscall.SIGSTOP), w.signal(syscall.SIGCONT), byInterval, byInterval},
	} {
		var took []time.Duration
		for _, ns := range w.names {
			begin := time.Now()
			row.fail(ns)
			for strings.Contains(w.table(), entry(ns)) {
				if time.Since(begin) > row.most {
					t.Fatalf("%s: %s is still there after %v:\n%s", row.fault, ns, row.most, w.logText())
				}
				time.Sleep(time.Millisecond)
			}
			took = append(took, time.Since(begin))
		}
		for _, ns := range w.names {
			row.heal(ns)
		}
		w.back()
		slices.Sort(took)
		t.Logf("%s: out after %v (median) to %v", row.fault, took[len(took)/2], took[len(took)-1])
		if took[0] > row.first { // the others tell how busy this machine is
			t.Errorf("%s: out after %v, the first should be %v", row.fault, took, row.first)
		}
	}
	failed := strings.Count(w.logText(), "Check failed")
	for range 3 { // after the fifth in a row within 5 s they are not watched any more
		for _, ns := range w.names { // a reload of the server ends connections alone
			w.signal(syscall.SIGHUP)(ns)
		}
		w.back()
	}
	if n := strings.Count(w.logText(), "Check failed") - failed; n > 0 {
		t.Errorf("reloaded: %d servers were taken out:\n%s", n, w.logText())
	}
	w.run(0, path, "stop")
}

// serveWatched is a web server in a process of its own. SIGHUP ends its idle connections.
func serveWatched() {
	var idle sync.Map
	s := &http.Server{ConnState: func(c net.Conn, state http.ConnState) {
		if idle.Delete(c); state == http.StateNew {
			idle.Store(c, true)
		}
	}, Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "OK\n") })}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	go func() {
		for range reload {
			idle.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		}
	}()
	l, err := net.Listen("tcp", ":80")
	if err == nil {
		fmt.Println("listens")
		err = s.Serve(l)
	}
	fmt.Println(err)
	os.Exit(1)
}

// watchLab has servers that are processes of their own.
type watchLab struct {
	*lab
	names   []string
	running map[string]*exec.Cmd
}

func newWatchLab(t *testing.T, servers int) *watchLab {
	w := &watchLab{lab: newNetwork(t, servers), running: map[string]*exec.Cmd{}}
	for i := range servers {
		w.names = append(w.names, fmt.Sprintf("rs%d", i+1))
		w.serve(w.names[i])
	}
	t.Cleanup(func() {
		for _, cmd := range w.running {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	return w
}

// serve starts the server of a namespace.
func (w *watchLab) serve(ns string) {
	w.t.Helper()
	if was := w.running[ns]; was != nil {
		was.Wait()
	}
	cmd := exec.Command("ip", "netns", "exec", w.prefix+ns, os.Args[0], "-test.run=^TestKernelLongWatch$")
	cmd.Env = append(os.Environ(), "WATCHED_SERVER=yes")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.running[ns] = cmd
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "listens\n" {
		w.t.Fatalf("%s: %q, %v", ns, line, err)
	}
}

func (w *watchLab) signal(s syscall.Signal) func(string) {
	return func(ns string) {
		if err := w.running[ns].Process.Signal(s); err != nil {
			w.t.Error(err)
		}
	}
}

func (w *watchLab) link(state string) func(string) {
	return func(ns string) { w.sh("ip -n %sdir link set p-%s-br0 %s", w.prefix, ns, state) }
}

func (w *watchLab) reals() string {
	var lines strings.Builder
	for _, ns := range w.names {
		fmt.Fprintf(&lines, "        real = %s masq\n", address(ns))
	}
	return lines.String()
}

// back waits until all servers are in the table, and watched.
func (w *watchLab) back() {
	w.t.Helper()
	const limit = 30 * time.Second
	for _, ns := range w.names {
		w.until(limit, entry(ns))
		for begin := time.Now(); w.watched(ns) != 1; time.Sleep(10 * time.Millisecond) {
			if time.Since(begin) > limit {
				w.t.Fatalf("%s has %d connections:\n%s", ns, w.watched(ns), w.logText())
			}
		}
	}
}

// watched counts the connections to the director's servers at a namespace's port 80, by those of the director.
func (w *watchLab) watched(ns string) int {
	var list []byte
	w.in("dir", func() { list, _ = os.ReadFile("/proc/thread-self/net/tcp") })
	ip := net.ParseIP(strings.TrimSuffix(address(ns), ":80")).To4()
	slices.Reverse(ip)
	return strings.Count(string(list), fmt.Sprintf(" %X:0050 01 ", []byte(ip)))
}
