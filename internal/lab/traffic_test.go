package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"ldirectord/internal/testkit"
)

const (
	requestRate    = 60               // requests a second
	requestTimeout = 2 * time.Second  // for connecting, and for each answer
	requesters     = 40               // parallel requests
	firstPort      = 10000            // first port of the client
	portsInTurn    = 20000            // ports in turn: when one is used again, its last connection is forgotten
	clientAddress  = "198.51.100.100" // for natVIP
	sorryServer    = "dir"            // answers on the director itself
	lookBack       = 3 * time.Second  // between two readings of the kernel's connections
)

// request is one request of the client.
type request struct {
	port       int
	start, end time.Time
	server     string // the server of a good answer
	failure    string // empty for a good answer
	sentTo     string // for a failed request: the real server that the kernel chose; empty if none, or not known
	traced     bool
}

// traffic is a client that makes requests to natVIP all the time, each from another port.
type traffic struct {
	l     *lab
	ports chan int
	stop  chan struct{}
	once  sync.Once
	done  sync.WaitGroup

	mu       sync.Mutex // guards the fields below
	requests []*request // in the order of their ends
}

// traffic starts a client for the time of the test.
func (l *lab) traffic() *traffic {
	c := &traffic{l: l, ports: make(chan int), stop: make(chan struct{})}
	for range requesters {
		c.done.Go(func() {
			if err := l.enter("client", c.work); err != nil {
				l.t.Error(err)
			}
		})
	}
	c.done.Go(c.pace)
	c.done.Go(c.look)
	l.t.Cleanup(func() { c.end() })
	return c
}

// end waits for all answers, and returns all requests.
func (c *traffic) end() []*request {
	c.once.Do(func() { close(c.stop) })
	c.done.Wait()
	c.trace()
	return c.requests
}

func (c *traffic) pace() {
	defer close(c.ports)
	tick := time.NewTicker(time.Second / requestRate)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		select {
		case c.ports <- firstPort + n%portsInTurn:
		default: // all workers wait for answers
		}
	}
}

func (c *traffic) work() {
	for port := range c.ports {
		r := ask(port)
		c.mu.Lock()
		c.requests = append(c.requests, r)
		c.mu.Unlock()
	}
}

// ask makes one request.
func ask(port int) *request {
	r := &request{port: port, start: time.Now()}
	answer, err := get(port)
	r.end = time.Now()
	status, body, _ := strings.Cut(answer, "\r\n\r\n")
	word, rest, _ := strings.Cut(body, " ")
	switch {
	case err != nil:
		r.failure = failure(err)
	case !strings.HasPrefix(status, "HTTP/1.0 200"):
		r.failure = "500"
	case strings.TrimSpace(rest) != "OK":
		r.failure = "wrong"
	default:
		r.server = word
	}
	return r
}

func get(port int) (string, error) {
	d := net.Dialer{Timeout: requestTimeout, LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddress), Port: port}}
	conn, err := d.Dial("tcp4", natVIP+":80")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	if err == nil && len(answer) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return string(answer), err
}

// failure is a word for what the client's user sees.
func failure(err error) string {
	var op *net.OpError
	dialing := errors.As(err, &op) && op.Op == "dial"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case dialing:
		return "notconnected"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	default:
		return "reset"
	}
}

// look finds, while the client runs, the real servers that the kernel chose for failed requests.
func (c *traffic) look() {
	tick := time.NewTicker(lookBack)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
			c.trace()
		}
	}
}

// trace finds the real servers of the requests that failed since its last call, in the kernel's connections.
func (c *traffic) trace() {
	c.mu.Lock()
	defer c.mu.Unlock()
	failed := map[int]*request{}
	for _, r := range c.requests {
		if r.failure != "" && !r.traced {
			r.traced = true
			failed[r.port] = r
		}
	}
	if len(failed) == 0 {
		return
	}
	if err := c.l.connections(func(port int, real string) {
		if r := failed[port]; r != nil {
			r.sentTo = real
		}
	}); err != nil {
		c.l.t.Error(err)
	}
}

// connections reads ip_vs_conn of the director: protocol, client, port, virtual, port, real, port and more, in
// hexadecimal.
func (l *lab) connections(tell func(port int, real string)) error {
	read := func() error {
		f, err := os.Open("/proc/thread-self/net/ip_vs_conn")
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			words := strings.Fields(lines.Text())
			if len(words) < 7 {
				continue
			}
			if port, err := strconv.ParseUint(words[2], 16, 16); err == nil {
				tell(int(port), realName(words[5]))
			}
		}
		return lines.Err()
	}
	var err error
	entered := l.enter("dir", func() { err = read() })
	return errors.Join(entered, err)
}

// realName is the name of the real server at an address in hexadecimal: C0000215 is rs1.
func realName(hex string) string {
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		return hex
	}
	a := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	if a == netip.MustParseAddr("127.0.0.1") {
		return sorryServer
	}
	return fmt.Sprintf("rs%d", int(a.As4()[3])-20)
}

// longConnections are connections with answers that never end.
type longConnections struct {
	conns []net.Conn
	ended chan string
	done  sync.WaitGroup
}

// hold opens connections to natVIP, and reads from them.
func (l *lab) hold(n int) *longConnections {
	h := &longConnections{ended: make(chan string, n)}
	for range n {
		conn := madeIn(l, "client", func() (net.Conn,
			error) {
			return net.DialTimeout("tcp4", natVIP+":80", requestTimeout)
		})
		testkit.OK(l.t, testkit.Error(io.WriteString(conn, "GET /drip HTTP/1.0\r\n\r\n")))
		h.conns = append(h.conns, conn)
		h.done.Go(func() { h.ended <- drain(conn) })
	}
	return h
}

// ports are the client's.
func (h *longConnections) ports() (all []int) {
	for _, conn := range h.conns {
		all = append(all, conn.LocalAddr().(*net.TCPAddr).Port)
	}
	return all
}

// drain reads until the connection ends or nothing comes for a while. It returns why it ended.
func drain(conn net.Conn) string {
	buffer := make([]byte, 1024)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(requestTimeout)); err != nil {
			return err.Error()
		}
		if _, err := conn.Read(buffer); err != nil {
			return err.Error()
		}
	}
}

// end closes the connections. It returns why one ended earlier; empty if none did.
func (h *longConnections) end() (early string) {
	select {
	case early = <-h.ended:
	default:
	}
	for _, conn := range h.conns {
		conn.Close()
	}
	h.done.Wait()
	return early
}
