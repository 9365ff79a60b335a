package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ldirectord/internal/testkit"
)

// These are the orders for a server in a process of its own.
const (
	endIdle     = "end idle"     // closes idle connections, as a reload of nginx does
	closeListen = "close listen" // closes only the listener
	beSlow      = "be slow"      // answers requests after slowAnswer; held connections continue
	beWrong     = "be wrong"     // answers requests with status 500
	beHealthy   = "be healthy"
)

const slowAnswer = 5 * time.Second

// heldPorts are ports that echo everything.
var heldPorts = []string{"7001", "7002", "7003"}

// serveWatched is a web server in a process of its own. It follows the orders on its standard input, and ends with
// that.
func serveWatched() {
	var idle sync.Map
	var mode atomic.Value
	mode.Store(beHealthy)
	s := &http.Server{ConnState: func(c net.Conn, state http.ConnState) {
		if idle.Delete(c); state == http.StateNew {
			idle.Store(c, true)
		}
	}, Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		switch mode.Load() {
		case beSlow:
			time.Sleep(slowAnswer)
		case beWrong:
			rw.WriteHeader(http.StatusInternalServerError)
		}
		io.WriteString(rw, "OK\n")
	})}
	l, err := net.Listen("tcp", ":80")
	for _, port := range heldPorts {
		err = errors.Join(err, saysBack(port))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go s.Serve(l)
	fmt.Println("listens")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case endIdle:
			endsIdle(&idle)
		case closeListen:
			l.Close()
		default:
			mode.Store(in.Text())
		}
		fmt.Println("done")
	}
	os.Exit(0)
}

// endsIdle closes the connections that are idle now and after a while: that of a check, which came just now, is not
// idle.
func endsIdle(idle *sync.Map) {
	var held []any
	idle.Range(func(c, _ any) bool { held = append(held, c); return true })
	time.Sleep(300 * time.Millisecond)
	for _, c := range held {
		if _, still := idle.Load(c); still {
			c.(net.Conn).Close()
		}
	}
}

func saysBack(port string) error {
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go sayBack(c)
		}
	}()
	return nil
}

// sayBack does the same as io.Copy, but without the two descriptors of its pipe.
func sayBack(c net.Conn) {
	defer c.Close()
	for bytes := make([]byte, 64); ; {
		n, err := c.Read(bytes)
		if err == nil {
			_, err = c.Write(bytes[:n])
		}
		if err != nil {
			return
		}
	}
}

// watchLab has servers in processes of their own.
type watchLab struct {
	*lab
	names   []string
	running map[string]*watchedServer
}

type watchedServer struct {
	*exec.Cmd
	orders io.Writer
	says   *bufio.Reader
}

func newWatchLab(l *lab, servers int) *watchLab {
	w := &watchLab{lab: l, running: map[string]*watchedServer{}}
	for i := range servers {
		w.names = append(w.names, fmt.Sprintf("rs%d", i+1))
		w.serve(w.names[i])
	}
	l.t.Cleanup(func() {
		for _, s := range w.running {
			s.Process.Kill()
			s.Wait()
		}
	})
	return w
}

// serve starts the server of a namespace. If one is running there, it is killed.
func (w *watchLab) serve(ns string) {
	w.t.Helper()
	if was := w.running[ns]; was != nil {
		was.Process.Kill()
		was.Wait()
	}
	cmd := exec.Command("ip", "netns", "exec", w.prefix+ns, os.Args[0], "-test.run=^TestKernelLongWatch$")
	cmd.Env = append(os.Environ(), "WATCHED_SERVER=yes")
	orders, bad := cmd.StdinPipe()
	out, err := cmd.StdoutPipe()
	if err = errors.Join(bad, err); err == nil {
		err = cmd.Start()
	}
	testkit.OK(w.t, err)
	w.running[ns] = &watchedServer{cmd, orders, bufio.NewReader(out)}
	w.awaits(ns, "listens")
}

// awaits reads the next line of a server.
func (w *watchLab) awaits(ns, want string) {
	w.t.Helper()
	if line, err := w.running[ns].says.ReadString('\n'); line != want+"\n" {
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

// tells sends an order to a server, and waits until it is done.
func (w *watchLab) tells(order string) func(string) {
	return func(ns string) {
		_, err := fmt.Fprintln(w.running[ns].orders, order)
		testkit.OK(w.t, err)
		w.awaits(ns, "done")
	}
}

func (w *watchLab) link(state string) func(string) {
	return func(ns string) { w.sh("ip -n %sdir link set p-%s-br0 %s", w.prefix, ns, state) }
}

// gone ends a server like a container: its process is killed, and its namespace is deleted.
func (w *watchLab) gone(ns string) {
	w.signal(syscall.SIGKILL)(ns)
	w.sh("ip netns del %s%s", w.prefix, ns)
}

// comes makes a deleted namespace again, with its server.
func (w *watchLab) comes(ns string) {
	w.sh("ip -n %[1]sdir link del p-%[2]s-br0 || true # the kernel may not have come to it\n"+
		"ip netns add %[1]s%[2]s; ip -n %[1]s%[2]s link set lo up", w.prefix, ns)
	w.join(ns, "br0", strings.TrimSuffix(address(ns), ":80")+"/24")
	w.sh("ip -n %[1]s%[2]s route add default via 192.0.2.1\n"+
		"ip -n %[1]sdir neigh flush to %[3]s # as the announcement of a new card does", w.prefix, ns,
		strings.TrimSuffix(address(ns), ":80"))
	w.serve(ns)
}

func (w *watchLab) reals() string {
	var lines strings.Builder
	for _, ns := range w.names {
		fmt.Fprintf(&lines, "        real = %s masq\n", address(ns))
	}
	return lines.String()
}

// back waits until all servers are in the table and watched.
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

// watched counts the director's connections to port 80 of the server of a namespace.
func (w *watchLab) watched(ns string) int {
	var list []byte
	w.in("dir", func() { list, _ = os.ReadFile("/proc/thread-self/net/tcp") })
	ip := net.ParseIP(strings.TrimSuffix(address(ns), ":80")).To4()
	slices.Reverse(ip)
	return strings.Count(string(list), fmt.Sprintf(" %X:0050 01 ", []byte(ip)))
}

// trifle is the time that the guest needs for almost nothing: a short sleep, and a connection within a namespace. A
// row's times tell about the daemon only if this is short.
func (w *watchLab) trifle() time.Duration {
	w.t.Helper()
	const times = 5
	begin := time.Now()
	w.in("client", func() {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.t.Error(err)
			return
		}
		defer l.Close()
		begin = time.Now()
		for range times {
			time.Sleep(time.Millisecond)
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				w.t.Error(err)
				return
			}
			c.Close()
		}
	})
	return time.Since(begin) / times
}
