package managers

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"ldirectord/internal/testkit"
)

const virtualAddress = "192.0.2.10"

// addresses are those of the lab's network, as the files in examples have them.
var addresses = map[string]string{
	"client": "192.0.2.100", "d1": "192.0.2.2", "d2": "192.0.2.3", "rs1": "192.0.2.21", "rs2": "192.0.2.22",
}

// cluster is two directors, two real servers behind them (direct routing), and a client, on one wire.
type cluster struct {
	t      *testing.T
	d1, d2 *machine
}

// wholeTable is what ldirectord.cf leads to while both real servers are healthy.
const wholeTable = `-A -t 192.0.2.10:80 -s rr
-a -t 192.0.2.10:80 -r 192.0.2.21:80 -g -w 1
-a -t 192.0.2.10:80 -r 192.0.2.22:80 -g -w 1
`

// newCluster builds one on the lab's kernel; it is gone with the test. A test that fails shows the logs.
func newCluster(t *testing.T, logs ...string) *cluster {
	t.Helper()
	needsLab(t)
	sh(t, `mountpoint -q %[1]s || mount -t tmpfs lab %[1]s
		modprobe -a bridge veth
		ip link add br0 type bridge; ip link set br0 up`, memoryRoot)
	t.Cleanup(func() { sh(t, "ip link del br0") })
	for name, address := range addresses {
		sh(t, `ip netns add %[1]s
			ip link add p-%[1]s type veth peer name eth0 netns %[1]s; ip link set p-%[1]s master br0 up
			ip -n %[1]s link set lo up
			ip -n %[1]s addr add %[2]s/24 dev eth0
			ip -n %[1]s link set eth0 up`, name, address)
		t.Cleanup(func() { sh(t, "ip link del p-%[1]s; ip netns del %[1]s", name) })
	}
	for _, server := range []string{"rs1", "rs2"} {
		sh(t, `ip netns exec %[1]s sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
			ip -n %[1]s addr add %[2]s/32 dev lo`, server, virtualAddress)
		serve(t, server)
	}
	c := &cluster{t: t, d1: newMachine(t, "d1", program()), d2: newMachine(t, "d2", program())}
	c.both(func(m *machine) {
		m.put("/etc/ha.d/ldirectord.cf", example(t, "cluster.cf"))
		m.put("/etc/ha.d/second.cf", strings.ReplaceAll(example(t, "cluster.cf"), virtualAddress, "192.0.2.11"))
	})
	t.Cleanup(func() {
		if t.Failed() {
			c.both(func(m *machine) {
				said, _ := m.run(append([]string{"tail", "-n", "200"}, logs...)...)
				t.Logf("%s\n%s", m.name, said)
			})
		}
	})
	return c
}

// both does something on each director.
func (c *cluster) both(do func(*machine)) {
	c.t.Helper()
	do(c.d1)
	do(c.d2)
}

// program is the one under test.
func program() string {
	if path := os.Getenv("LDIRECTORD"); path != "" {
		return path
	}
	return "../../../ldirectord"
}

// needsLab skips a test outside the lab's kernel: it would rearrange the machine.
func needsLab(t *testing.T) {
	t.Helper()
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err == nil && strings.Contains(string(cpu), "User Mode Linux") {
		return
	}
	if os.Getenv("MANAGER_TESTS") == "required" {
		t.Fatal("this is not the lab's kernel")
	}
	t.Skip("needs the lab and the cluster managers: make test-all")
}

// example is the text of a file in examples.
func example(t *testing.T, path string) string {
	t.Helper()
	return testkit.Read(t, filepath.Join("../../../examples", path))
}

// serve runs a real server that answers with its name.
func serve(t *testing.T, name string) {
	t.Helper()
	var web net.Listener
	var err error
	inside(t, name, func() { web, err = net.Listen("tcp4", ":80") })
	testkit.OK(t, err)
	go http.Serve(web, http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request) {
		fmt.Fprintf(w, "%s up\n", name)
	}))
	t.Cleanup(func() { web.Close() })
}

// inside runs f on a thread in a network namespace; sockets that f opens belong to it.
func inside(t *testing.T, name string, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		space, err := netns.GetFromName(name)
		if err == nil {
			defer space.Close()
			err = netns.Set(space)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Errorf("entering %s: %v", name, err)
	}
}

// conversation is a connection of the client with a virtual service that stays open.
type conversation struct {
	conn   net.Conn
	answer *bufio.Reader
}

// connect opens one and waits until the kernel has told the other director of it: at the third packet, and then at
// every fiftieth (net.ipv4.vs.sync_threshold), as soon as it gets to it.
func (c *cluster) connect(t *testing.T, other *machine) *conversation {
	t.Helper()
	var conn net.Conn
	var err error
	inside(t, "client", func() { conn, err = dial("80", eventTime) })
	testkit.OK(t, err)
	t.Cleanup(func() { conn.Close() })
	long := &conversation{conn, bufio.NewReader(conn)}
	await(t, eventTime, "connection on "+other.name, func() bool {
		testkit.OK(t, long.ask(eventTime))
		return other.holds("ipvsadm -Lnc | grep -qF '" + conn.LocalAddr().String() + " '")
	})
	return long
}

// goesOn asks several times: what was lost on the way is sent again by TCP.
func (l *conversation) goesOn(limit time.Duration) error {
	for range 5 {
		if err := l.ask(limit); err != nil {
			return err
		}
	}
	return nil
}

func (l *conversation) ask(limit time.Duration) error {
	if err := l.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := io.WriteString(l.conn, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(l.answer, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}
