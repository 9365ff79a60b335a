package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// lab is a small network of namespaces: a director, real servers and a client. The client reaches drVIP in the
// servers' own network (gate) and natVIP through the director (masq).
type lab struct {
	t      *testing.T
	prefix string
	dir    string // temporary folder: configuration, log
	log    string
	exe    string // the program; empty: this test's own
	idle   *starvation
}

const (
	drVIP  = "192.0.2.10"
	natVIP = "198.51.100.10"
)

var three = []string{"rs1", "rs2", "rs3"}

// needsIPVS skips a test without a kernel's table that it may change.
func needsIPVS(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/net/ip_vs"); err == nil && os.Geteuid() == 0 {
		return
	}
	if os.Getenv("IPVS_TESTS") == "required" {
		t.Fatal("IPVS_TESTS=required, but there is no IPVS or no root")
	}
	t.Skip("needs root and a kernel with IPVS")
}

// newLab has the real servers rs1, rs2 and rs3.
func newLab(t *testing.T) *lab { return newLabOf(t, 3) }

// newLabOf has the real servers rs1, rs2 and so on, set up by hand for gate.
func newLabOf(t *testing.T, servers int) *lab {
	t.Helper()
	l := newNetwork(t, servers)
	for i := range servers {
		l.sh(`ip netns exec %[1]srs%[2]d sysctl -qw net.ipv4.conf.all.arp_ignore=1 \
				net.ipv4.conf.all.arp_announce=2
			ip -n %[1]srs%[2]d addr add %[3]s/32 dev lo`, l.prefix, i+1, drVIP)
	}
	return l
}

// newNetwork has the real servers rs1, rs2 and so on at 192.0.2.21, 192.0.2.22 and so on, without virtual addresses.
func newNetwork(t *testing.T, servers int) *lab {
	t.Helper()
	needsIPVS(t)
	l := &lab{t: t, prefix: fmt.Sprintf("ld%d-", os.Getpid()), dir: t.TempDir(), idle: watchStarvation(t)}
	l.log = filepath.Join(l.dir, "log")
	namespaces := []string{"dir", "client"}
	for i := range servers {
		namespaces = append(namespaces, fmt.Sprintf("rs%d", i+1))
	}
	for _, ns := range namespaces {
		l.sh("ip netns add %s%s && ip -n %s%s link set lo up", l.prefix, ns, l.prefix, ns)
		t.Cleanup(func() { l.remove(ns) })
	}
	l.sh(`ip -n %[1]sdir link add br0 type bridge; ip -n %[1]sdir link add br1 type bridge
		ip -n %[1]sdir addr add 192.0.2.1/24 dev br0; ip -n %[1]sdir addr add %[2]s/32 dev br0
		ip -n %[1]sdir addr add 198.51.100.1/24 dev br1; ip -n %[1]sdir addr add %[3]s/32 dev br1
		ip -n %[1]sdir link set br0 up; ip -n %[1]sdir link set br1 up
		ip netns exec %[1]sdir sysctl -qw net.ipv4.ip_forward=1`, l.prefix, drVIP, natVIP)
	l.join("client", "br0", "192.0.2.100/24")
	l.join("client", "br1", "198.51.100.100/24")
	for i := 1; i <= servers; i++ {
		rs := fmt.Sprintf("rs%d", i)
		l.join(rs, "br0", fmt.Sprintf("192.0.2.2%d/24", i))
		l.sh(`ip -n %s%s route add default via 192.0.2.1`, l.prefix, rs)
	}
	return l
}

// remove removes a namespace, and ends its processes first: a daemon that is still running would write into the test's
// folder while that is removed.
func (l *lab) remove(ns string) {
	l.vacate(ns)
	exec.Command("ip", "netns", "del", l.prefix+ns).Run()
}

// vacate ends the processes of a namespace, except this one.
func (l *lab) vacate(ns string) {
	isOwn := func(pid string) bool { return pid == strconv.Itoa(os.Getpid()) }
	for range 100 {
		out, _ := exec.Command("ip", "netns", "pids", l.prefix+ns).Output()
		pids := slices.DeleteFunc(strings.Fields(string(out)), isOwn)
		if len(pids) == 0 {
			return
		}
		exec.Command("kill", append([]string{"-9"}, pids...)...).Run()
		time.Sleep(10 * time.Millisecond)
	}
}

// join connects a namespace to a bridge of the director.
func (l *lab) join(ns, bridge, address string) {
	l.sh(`ip -n %[1]sdir link add p-%[2]s-%[3]s type veth peer name %[3]s netns %[1]s%[2]s
		ip -n %[1]sdir link set p-%[2]s-%[3]s master %[3]s up
		ip -n %[1]s%[2]s addr add %[4]s dev %[3]s
		ip -n %[1]s%[2]s link set %[3]s up`, l.prefix, ns, bridge, address)
}

func (l *lab) sh(format string, args ...any) {
	l.t.Helper()
	testkit.Run(l.t, exec.Command("sh", "-ec", fmt.Sprintf(format, args...)))
}

// in runs f on a thread in a namespace. Sockets that f opens belong to that namespace.
func (l *lab) in(ns string, f func()) {
	l.t.Helper()
	testkit.OK(l.t, l.enter(ns, f), "entering", ns)
}

// madeIn is in, for a function that makes something.
func madeIn[T any](l *lab, ns string, make func() (T, error)) (made T) {
	l.t.Helper()
	var err error
	l.in(ns, func() { made, err = make() })
	testkit.OK(l.t, err)
	return made
}

func (l *lab) enter(ns string, f func()) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		h, err := netns.GetFromName(l.prefix + ns)
		if err == nil {
			defer h.Close()
			err = netns.Set(h)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	return <-done
}

// ask makes one request from the client and returns the first word of the answer, or the error.
func (l *lab) ask(vip string) string {
	answer := l.askAt(vip + ":80")
	_, body, found := strings.Cut(answer, "\r\n\r\n")
	if !found {
		return answer
	}
	word, _, _ := strings.Cut(body, " ")
	return word
}

// askAt is the whole answer to a request from the client, or the error.
func (l *lab) askAt(addr string) string {
	const limit = 2 * time.Second
	var conn net.Conn
	var err error
	l.in("client", func() { conn, err = net.DialTimeout("tcp", addr, limit) })
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	fmt.Fprintf(conn, "GET / HTTP/1.0\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil {
		return err.Error()
	}
	return string(answer)
}

// table is the director's table in the form of ipvsadm -Sn.
func (l *lab) table() string { return lvs.Format(l.read()) }

// read reads the director's table.
func (l *lab) read() lvs.Table {
	return madeIn(l, "dir", func() (lvs.Table, error) {
		k, err := ipvsctl.Open(ipvsctl.Kernel)
		if err != nil {
			return nil, err
		}
		defer k.Close()
		return k.Read(context.Background())
	})
}

// await waits until something is so. Time in which the machine did not run is not counted.
func (l *lab) await(limit time.Duration, so func() bool, words ...any) {
	l.t.Helper()
	for begin := time.Now(); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin)-l.idle.since(begin) > limit {
			testkit.Until(l.t, 0, so, append(append(words, "limit:", limit), l.logText)...)
		}
	}
}

// until waits for a table that has these lines, and not those after "no ". It returns how long that took.
func (l *lab) until(limit time.Duration, lines ...string) time.Duration {
	l.t.Helper()
	return l.untilFrom(time.Now(), limit, lines...)
}

// untilFrom is until with a limit from a given time. Time in which the machine did not run is not counted. The daemon
// doesn't count a failure of such a time either, and repeats the check at once, which may take another timeout.
func (l *lab) untilFrom(from time.Time, limit time.Duration, lines ...string) time.Duration {
	l.t.Helper()
	for {
		took, lost := time.Since(from), l.idle.since(from)
		took -= lost
		table := l.table()
		if missing := unlike(table, lines); missing == "" {
			return took
		} else if took > limit && (lost < maxLostInRow || took > limit+checkTimeout) {
			l.t.Fatalf("after %v the table does not have: %s\n%s\nlog:\n%s", took, missing, table,
				l.logText())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func unlike(table string, lines []string) string {
	for _, line := range lines {
		if absent, ok := strings.CutPrefix(line, "no "); ok == strings.Contains(table, line) && !ok || ok &&
			strings.Contains(table, absent) {
			return line
		}
	}
	return ""
}

func (l *lab) config(text string) string {
	path := filepath.Join(l.dir, "ldirectord.cf")
	text = fmt.Sprintf("logfile = \"%s\"\n", l.log) + text
	testkit.Write(l.t, path+".new", text)
	testkit.OK(l.t, os.Rename(path+".new", path))
	return path
}

func (l *lab) logText() string {
	text, _ := os.ReadFile(l.log)
	return string(text)
}

// changes returns the lines of the log about changes of the table, after a position.
func (l *lab) changes(since int) (n int, lines string) {
	for _, line := range strings.Split(l.logText()[since:], "\n") {
		for _, word := range []string{"Added ", "Changed ", "Deleted ", "Restored ", "Quiescent ", "Purged ",
			"Readd "} {
			if strings.Contains(line, "] "+word) {
				n++
				lines += line + "\n"
			}
		}
	}
	return n, lines
}

// listen opens a port of a namespace until the test ends.
func (l *lab) listen(ns, addr string) (listener net.Listener) {
	l.t.Helper()
	listener = madeIn(l, ns, func() (net.Listener, error) { return net.Listen("tcp", addr) })
	l.t.Cleanup(func() { listener.Close() })
	return listener
}

// echo runs a server that echoes everything, over IPv4 and IPv6.
func (l *lab) echo(ns, addr string) { l.echoing(ns, addr) }

// echoing is echo, with the listener for a test that closes it earlier.
func (l *lab) echoing(ns, addr string) (listener net.Listener) {
	l.t.Helper()
	listener = l.listen(ns, addr)
	testkit.Serve(l.t, listener, func(c net.Conn) { io.Copy(c, c) })
	return listener
}
