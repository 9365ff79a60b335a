package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// drainTime is the draintime of the rows about servers that leave the file.
const drainTime = 10 * time.Second

// Servers leave the file while clients of every kind use them: see docs/measured/failures.md.
func TestKernelLongRemovals(t *testing.T) {
	onlyLong(t)
	l := newLeavingLab(t)
	l.pool(drainTime, "rs1", "rs2")
	l.does("start")
	l.untilLeft(5*time.Second, leavingPorts, "rs1", "rs2")
	l.wholePool()
	l.withKernelSettings()
	l.atOnce()
	l.namesMove()
}

// leavingLab is the lab of those rows. Each kind of client has its own virtual service.
type leavingLab struct {
	*lab
	hosts string // the path of the machine's hosts file
}

// These are the ports of the virtual services.
const (
	keepAlivePort = "80"   // requests over connections that last
	endlessPort   = "7000" // a connection that never ends
	datagramPort  = "7001" // datagrams from one port
	returnPort    = "8080" // a client that persistence sends to the same server
	gonePort      = "8082" // a persistent client that does not come back
	reusePort     = "8081" // each connection from the same port
)

var leavingPorts = []string{keepAlivePort, endlessPort, datagramPort, returnPort, gonePort, reusePort}

func newLeavingLab(t *testing.T) *leavingLab {
	l := &leavingLab{lab: newLabOf(t, 4)}
	l.hosts = filepath.Join(l.dir, "hosts")
	l.lead("192.0.2.21")
	l.sh("mount --bind %s /etc/hosts # before the daemon has mounts of its own", l.hosts)
	t.Cleanup(func() { l.sh("umount /etc/hosts") })
	l.sh("ip netns exec %sdir ipvsadm --set 0 1 2 # seconds: closed connections, datagrams", l.prefix)
	for _, ns := range all {
		w := l.webOn(ns, keepAlivePort)
		w.keepAlive = true
		w.server.SetKeepAlivesEnabled(true)
		l.webOn(ns, returnPort, gonePort, reusePort)
		l.echo(ns, ":"+endlessPort)
		l.datagrams(ns, net.JoinHostPort(drVIP, datagramPort), func([]byte) []byte { return []byte(ns) })
	}
	return l
}

// lead gives the name app.example an address. It writes into the existing file, so that the daemon's mount shows it.
func (l *leavingLab) lead(address string) {
	testkit.OK(l.t, os.WriteFile(l.hosts, []byte("127.0.0.1 localhost\n"+address+" app.example\n"), 0o644))
}

// pool writes a file with these servers, which the daemon reads by itself.
func (l *leavingLab) pool(drains time.Duration, servers ...string) {
	text := fmt.Sprintf("checkinterval = 1\nchecktimeout = 2\nautoreload = yes\ndraintime = %d\n",
		drains/time.Second)
	for _, port := range leavingPorts {
		text += fmt.Sprintf("virtual = %s:%s\n\tscheduler = rr\n", drVIP, port)
		for _, ns := range servers {
			text += fmt.Sprintf("\treal = %s gate\n", strings.Replace(address(ns), ":80", ":"+port, 1))
		}
		switch port {
		case datagramPort:
			text += "\tprotocol = udp\n\tchecktype = ping\n"
		case returnPort, gonePort:
			text += "\tchecktype = connect\n\tpersistent = 4\n"
		default:
			text += "\tchecktype = connect\n"
		}
	}
	l.config(text)
}

// untilLeft waits until the virtual services at these ports have these servers and no others.
func (l *leavingLab) untilLeft(limit time.Duration, ports []string, servers ...string) time.Duration {
	l.t.Helper()
	var lines []string
	for _, port := range ports {
		for _, ns := range all {
			line := fmt.Sprintf("%s:%s -r %s", drVIP, port,
				strings.Replace(address(ns), ":80", ":"+port, 1))
			if !strings.Contains(fmt.Sprint(servers), ns) {
				line = "no " + line
			}
			lines = append(lines, line)
		}
	}
	return l.until(limit, lines...)
}

// questioner is a client that makes requests all the time.
type questioner struct {
	stop chan struct{}
	done sync.WaitGroup

	mu  sync.Mutex // guards the fields below
	all []asked
}

// asked is one request and its result.
type asked struct {
	at, end time.Time
	server  string
	failure string
}

// asks starts a client.
func (l *leavingLab) asks(pause time.Duration, ask func() (server string, err error)) *questioner {
	a := &questioner{stop: make(chan struct{})}
	a.done.Go(func() {
		if err := l.enter("client", func() { a.ask(pause, ask) }); err != nil {
			l.t.Error(err)
		}
	})
	l.t.Cleanup(func() { a.end() })
	return a
}

func (a *questioner) ask(pause time.Duration, ask func() (string, error)) {
	for {
		one := asked{at: time.Now()}
		server, err := ask()
		if one.end, one.server = time.Now(), server; err != nil {
			one.failure = err.Error()
		}
		a.mu.Lock()
		a.all = append(a.all, one)
		a.mu.Unlock()
		select {
		case <-a.stop:
			return
		case <-time.After(pause):
		}
	}
}

// end stops the client, and returns all its requests.
func (a *questioner) end() []asked {
	select {
	case <-a.stop:
	default:
		close(a.stop)
	}
	a.done.Wait()
	return a.all
}

// servers counts the answers of each server between two times, and the failures. It returns the last failure.
func (a *questioner) servers(from, until time.Time) (answers map[string]int, failed int, failure string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	answers = map[string]int{}
	for _, one := range a.all {
		switch {
		case one.at.Before(from) || !one.at.Before(until):
		case one.failure != "":
			failed, failure = failed+1, one.failure
		default:
			answers[one.server]++
		}
	}
	return answers, failed, failure
}

var leavingClient = netip.MustParseAddr("192.0.2.100")

// keepingAlive makes thirty requests over each connection.
func keepingAlive() func() (string, error) {
	var conn net.Conn
	var from *bufio.Reader
	n := 0
	return func() (server string, err error) {
		if conn == nil {
			if conn, err = dialFrom(leavingClient, "tcp", drVIP+":"+keepAlivePort); err != nil {
				return "", err
			}
			from, n = bufio.NewReader(conn), 0
		}
		conn.SetDeadline(time.Now().Add(requestTimeout))
		server, err = askOver(conn, from)
		if n++; err != nil || n == 30 {
			conn.Close()
			conn = nil
		}
		return server, err
	}
}

func askOver(conn net.Conn, from *bufio.Reader) (server string, err error) {
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n"); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(from, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(answer.Body)
	server, _, _ = strings.Cut(string(body), " ")
	return server, err
}

// newConnections makes each request over a new connection.
func newConnections(port string) func() (string, error) {
	return func() (string, error) {
		return named(getFrom(leavingClient, "http://"+drVIP+":"+port+"/"))
	}
}

// named is the name of a server, or an error if the answer has none.
func named(answer string) (string, error) {
	if !strings.HasPrefix(answer, "rs") {
		return "", errors.New(answer)
	}
	return answer, nil
}

// onePort makes each request over a new connection from the same port.
func onePort() (string, error) {
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: leavingClient.AsSlice(), Port: 999}}
	conn, err := d.Dial("tcp", drVIP+":"+reusePort)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil {
		return "", err
	}
	_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
	word, _, _ := strings.Cut(body, " ")
	return named(word)
}

// datagramsFromOnePort makes requests by datagrams, all from one port.
func (l *leavingLab) datagramsFromOnePort() func() (string, error) {
	conn := l.dial(leavingClient, "udp", net.JoinHostPort(drVIP, datagramPort))
	return func() (string, error) {
		conn.SetDeadline(time.Now().Add(500 * time.Millisecond))
		answer, err := exchange(conn, []byte("who"))
		if err != nil {
			return "", err
		}
		return named(string(answer))
	}
}

// leavingClients are one client of each kind, and six that keep connections.
type leavingClients struct {
	kept                      []*questioner
	datagrams, returns, reuse *questioner
	endless                   net.Conn
}

func (l *leavingLab) clients() *leavingClients {
	c := &leavingClients{}
	for range 6 {
		c.kept = append(c.kept, l.asks(50*time.Millisecond, keepingAlive()))
	}
	c.datagrams = l.asks(100*time.Millisecond, l.datagramsFromOnePort())
	c.returns = l.asks(200*time.Millisecond, newConnections(returnPort))
	c.reuse = l.asks(300*time.Millisecond, onePort)
	c.endless = l.dial(leavingClient, "tcp", net.JoinHostPort(drVIP, endlessPort))
	l.in("client", func() { newConnections(gonePort)() })
	time.Sleep(2 * time.Second)
	if !talks(c.endless) {
		l.t.Fatal("the connection that never ends did not begin")
	}
	return c
}

// keptLost counts the requests of the clients that keep connections, and those that failed.
func (c *leavingClients) keptLost(from time.Time) (requests, lost int, failure string) {
	for _, k := range c.kept {
		answers, failed, why := k.servers(from, time.Now())
		for _, n := range answers {
			requests += n
		}
		requests, lost = requests+failed, lost+failed
		if why != "" {
			failure = why
		}
	}
	return requests, lost, failure
}

func (c *leavingClients) end() {
	for _, a := range append(c.kept, c.datagrams, c.returns, c.reuse) {
		a.end()
	}
}

// stays checks that no request failed between two times, and that all answers came from one of these servers.
func (l *leavingLab) stays(row string, a *questioner, from, until time.Time, servers ...string) {
	l.t.Helper()
	answers, failed, failure := a.servers(from, until)
	if failed > 0 || len(answers) != 1 || !strings.Contains(fmt.Sprint(servers), names(answers)[0]) {
		l.t.Errorf("%s: answers of %v, want those of one of %v; %d failed: %s", row, answers, servers, failed,
			failure)
	}
}

// wholePool replaces all servers. Meanwhile the daemon is killed and the clock is set.
func (l *leavingLab) wholePool() {
	c := l.clients()
	began := time.Now()
	l.pool(drainTime, "rs3", "rs4")
	l.until(5*time.Second, "-r 192.0.2.21:80 -g -w 0", "-r 192.0.2.24:80 -g -w 1",
		":7001 -r 192.0.2.21:7001 -g -w 0")
	left := time.Now()
	time.Sleep(2 * time.Second)
	l.kill()
	ahead := l.clockAhead(time.Hour)
	l.does("start")
	l.t.Logf("those that keep connections: out after %v",
		l.untilLeft(drainTime, []string{keepAlivePort}, "rs3", "rs4"))
	ahead()
	l.untilLeft(drainTime, []string{gonePort}, "rs3", "rs4")
	early := time.Now()
	if early.Sub(left) < 2*time.Second || early.Sub(began)-l.idle.since(began) > drainTime-time.Second {
		l.t.Errorf("the server of a client that does not come back is out after %v", early.Sub(left))
	}
	for _, port := range []string{endlessPort, datagramPort, returnPort} {
		if strings.Count(l.table(), fmt.Sprintf("%s:%s -r", drVIP, port)) == 2 {
			l.t.Errorf("port %s: no server drains any more", port)
		}
	}
	if !talks(c.endless) {
		l.t.Error("the connection that never ends was cut before the time was over")
	}
	testkit.Contains(l.t, l.does("status", "-v"), ": draining, 1 connection, ", "status")
	l.untilLeft(drainTime+2*time.Second-(time.Since(left)-l.idle.since(left)), leavingPorts, "rs3", "rs4")
	over := time.Now()
	if over.Sub(began) < drainTime || over.Sub(left)-l.idle.since(left) > drainTime+2*time.Second {
		l.t.Errorf("the last servers are out after %v", over.Sub(left))
	}
	l.stays("datagrams from one port, draining", c.datagrams, left, began.Add(drainTime), "rs1", "rs2")
	l.stays("a client that returns, draining", c.returns, left, began.Add(drainTime), "rs1", "rs2")
	if talks(c.endless) {
		l.t.Error("the connection that never ends was not cut")
	}
	time.Sleep(4 * time.Second)
	l.stays("datagrams from one port, afterwards", c.datagrams, over.Add(3*time.Second), time.Now(), "rs3", "rs4")
	l.stays("a client that returns, afterwards", c.returns, over, time.Now(), "rs3", "rs4")
	c.end()
	if requests, lost, failure := c.keptLost(began); lost > 0 || requests < 300 {
		l.t.Errorf("keep-alive clients: %d requests, %d lost: %s", requests, lost, failure)
	} else {
		l.t.Logf("keep-alive clients: %d requests, 0 lost", requests)
	}
	if answers, failed, failure := c.reuse.servers(began, over); failed > 0 {
		l.t.Errorf("one port for all connections: %d failed: %s, answers of %v", failed, failure, answers)
	}
	_, cut, _ := c.datagrams.servers(began, time.Now())
	l.t.Logf("datagrams from one port: %d lost when the time was over", cut)
}

// clockAhead sets the clock of the lab's own kernel forward. The returned function sets it back.
func (l *leavingLab) clockAhead(by time.Duration) (back func()) {
	if !ownKernel() {
		return func() {}
	}
	l.setClock(by)
	return func() { l.setClock(-by) }
}

// withKernelSettings makes the kernel send returning clients, and those that reuse a port, to other servers at once.
// Then only clients that must stay do so.
func (l *leavingLab) withKernelSettings() {
	l.sh("ip netns exec %sdir sysctl -qw net.ipv4.vs.expire_quiescent_template=1 net.ipv4.vs.conn_reuse_mode=3",
		l.prefix)
	c := l.clients()
	l.pool(drainTime, "rs1", "rs2")
	l.until(5*time.Second, "-r 192.0.2.24:80 -g -w 0", "-r 192.0.2.21:80 -g -w 1",
		":8080 -r 192.0.2.24:8080 -g -w 0", ":8081 -r 192.0.2.24:8081 -g -w 0")
	left := time.Now()
	l.t.Logf("expire_quiescent_template: out after %v",
		l.untilLeft(drainTime-time.Second, []string{returnPort, reusePort}, "rs1", "rs2"))
	c.end()
	for row, a := range map[string]*questioner{"a client that returns": c.returns,
		"one port for all connections": c.reuse} {
		if answers, failed, failure := a.servers(left.Add(time.Second), time.Now()); failed > 0 ||
			answers["rs3"]+answers["rs4"] > 0 {
			l.t.Errorf("%s: answers of %v, %d failed: %s", row, answers, failed, failure)
		}
	}
}

// atOnce plays the same without draintime.
func (l *leavingLab) atOnce() {
	l.pool(0, "rs1", "rs2")
	l.untilLeft(5*time.Second, leavingPorts, "rs1", "rs2")
	c := l.clients()
	began := time.Now()
	l.pool(0, "rs3", "rs4")
	l.untilLeft(5*time.Second, leavingPorts, "rs3", "rs4")
	time.Sleep(3 * time.Second)
	c.end()
	requests, lost, failure := c.keptLost(began)
	l.t.Logf("without draintime: %d requests of keep-alive clients, %d lost: %s", requests, lost, failure)
	if lost == 0 {
		l.t.Error("without draintime nothing was lost: the rows say nothing")
	}
}

// namesMove: a name of the file gets another address while clients keep connections, then one without a server, then
// the other address again.
func (l *leavingLab) namesMove() {
	l.config(fmt.Sprintf("checkinterval = 1\nchecktimeout = 2\nresolve = 1\ndraintime = %d\n"+
		"virtual = %s:%s\n\tscheduler = rr\n"+
		"\treal = app.example:80 gate\n\treal = 192.0.2.22:80 gate\n\tchecktype = connect\n",
		drainTime/time.Second, drVIP, keepAlivePort))
	l.does("reload")
	l.untilLeft(2*drainTime, []string{keepAlivePort}, "rs1", "rs2")
	kept := &leavingClients{}
	for range 6 {
		kept.kept = append(kept.kept, l.asks(50*time.Millisecond, keepingAlive()))
	}
	defer func() {
		for _, k := range kept.kept {
			k.end()
		}
	}()
	time.Sleep(time.Second)
	began := time.Now()
	l.lead("192.0.2.23")
	l.until(5*time.Second, "-r 192.0.2.23:80 -g -w 1", "-r 192.0.2.21:80 -g -w 0")
	l.t.Logf("a name that moves: the new server is in after %v", time.Since(began))
	l.t.Logf("… the old one is out after %v", l.untilLeft(drainTime, []string{keepAlivePort}, "rs2", "rs3"))
	l.lead("192.0.2.99")
	time.Sleep(6 * time.Second)
	l.untilLeft(0, []string{keepAlivePort}, "rs2", "rs3")
	l.lead("192.0.2.23")
	time.Sleep(3 * time.Second)
	l.untilLeft(0, []string{keepAlivePort}, "rs2", "rs3")
	requests, lost, failure := kept.keptLost(began)
	if lost > 0 || requests < 100 {
		l.t.Errorf("a name that moves: %d of %d requests lost: %s", lost, requests, failure)
	}
	l.t.Logf("a name that moves: %d of %d requests lost", lost, requests)
}
