package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	fleetRate       = 20          // requests a second
	fleetTimeout    = time.Second // for one request
	fleetRequesters = 45          // parallel requests: each may take twice its timeout
	heldConnections = 60
	heldEvery       = 250 * time.Millisecond
	maxAway         = fleetTimeout / 5 // how long this kernel may stand still in a request that counts
	heldStalls      = 3 * time.Second  // without an answer at the end: counted as broken
)

// sources are the client's ports, used in turn. A director remembers the server of each connection, even from an
// earlier row in which servers were out. The next connection from that port breaks if it changes the director
// (docs/directors.md).
type sources struct{ used atomic.Uint32 }

func (s *sources) next() *net.TCPAddr {
	return &net.TCPAddr{Port: firstPort + int(s.used.Add(1)%portsInTurn)}
}

// fleetClient makes requests to an address, each over a new connection, and holds other connections.
type fleetClient struct {
	target string
	ports  *sources
	stop   chan struct{}
	once   sync.Once
	done   sync.WaitGroup
	held   []*fleetConnection

	mu       sync.Mutex // guards the fields below
	requests []fleetRequest
}

// fleetRequest is one request. A failed one is tried again at once.
type fleetRequest struct {
	start   time.Time
	end     time.Time
	failure string // empty for a good answer
	again   string // the failure of the second try
}

// fleetConnection is a held connection, with a request every heldEvery.
type fleetConnection struct {
	conn net.Conn

	mu     sync.Mutex // guards the fields below
	server string     // the server that answers
	asked  time.Time  // zero while no request waits for an answer
	broken string     // why the connection ended
}

// client starts a client for the time of the test.
func (f *fleet) client(address string) *fleetClient {
	f.t.Helper()
	c := &fleetClient{target: net.JoinHostPort(address, "80"), ports: &f.ports, stop: make(chan struct{})}
	f.in("client", func() {
		for range heldConnections {
			conn, err := (&net.Dialer{Timeout: 3 * time.Second, LocalAddr: c.ports.next()}).Dial("tcp",
				c.target)
			if err != nil {
				f.t.Errorf("a connection to hold: %v", err)
				continue
			}
			c.held = append(c.held, &fleetConnection{conn: conn})
		}
	})
	for i, h := range c.held {
		c.done.Go(func() {
			time.Sleep(heldEvery * time.Duration(i) / heldConnections) // spread over heldEvery
			h.work(c.stop)
		})
	}
	due := make(chan struct{})
	for range fleetRequesters {
		c.done.Go(func() {
			if err := f.enter("client", func() { c.work(due) }); err != nil {
				f.t.Error(err)
			}
		})
	}
	c.done.Go(func() { c.pace(due) })
	f.t.Cleanup(c.end)
	return c
}

// end stops the client and waits for all answers.
func (c *fleetClient) end() {
	c.once.Do(func() { close(c.stop) })
	for _, h := range c.held {
		h.conn.(*net.TCPConn).SetLinger(0)
		h.conn.Close()
	}
	c.done.Wait()
}

func (c *fleetClient) pace(due chan<- struct{}) {
	defer close(due)
	tick := time.NewTicker(time.Second / fleetRate)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		select {
		case due <- struct{}{}:
		default: // all workers wait for answers
		}
	}
}

func (c *fleetClient) work(due <-chan struct{}) {
	for range due {
		r := fleetRequest{start: time.Now(), failure: c.ask()}
		if r.failure != "" {
			r.again = c.ask()
		}
		r.end = time.Now()
		c.mu.Lock()
		c.requests = append(c.requests, r)
		c.mu.Unlock()
	}
}

// ask makes one request, and returns why it failed.
func (c *fleetClient) ask() string {
	deadline := time.Now().Add(fleetTimeout)
	conn, err := (&net.Dialer{Deadline: deadline, LocalAddr: c.ports.next()}).Dial("tcp", c.target)
	if err != nil {
		return failure(err)
	}
	defer conn.Close()
	conn.SetDeadline(deadline)
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return failure(err)
	}
	answer, err := io.ReadAll(conn)
	switch {
	case err != nil:
		return failure(err)
	case !strings.HasPrefix(string(answer), "HTTP/1.0 200") || !strings.HasSuffix(string(answer), " OK\n"):
		return "wrong"
	}
	return ""
}

func (h *fleetConnection) work(stop <-chan struct{}) {
	answers := bufio.NewReader(h.conn)
	for tick := time.NewTicker(heldEvery); ; {
		select {
		case <-stop:
			tick.Stop()
			return
		case <-tick.C:
		}
		h.set(func() { h.asked = time.Now() })
		server, err := h.ask(answers)
		if err != nil {
			h.set(func() { h.asked, h.broken = time.Time{}, failure(err) })
			tick.Stop()
			return
		}
		h.set(func() { h.asked, h.server = time.Time{}, server })
	}
}

func (h *fleetConnection) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

func (h *fleetConnection) ask(answers *bufio.Reader) (server string, err error) {
	if _, err := io.WriteString(h.conn, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
		return "", err
	}
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status)
	}
	server, _, _ = strings.Cut(string(body), " ")
	return server, err
}

// waited reports whether a request failed without an answer, rather than with a bad one.
func waited(failure string) bool { return failure == "timeout" || failure == "notconnected" }

// counted is what a client saw.
type counted struct {
	requests, failed, twice int // twice: failed, and failed again at once
	away                    int // failed without an answer while this kernel did not run
	last                    time.Duration
	when                    []string
	why                     map[string]int
	broken, stalled         int
	brokenOf                map[string]int // by real server
}

// count counts what happened since a time.
func (c *fleetClient) count(from time.Time, idle *starvation) counted {
	n := counted{why: map[string]int{}, brokenOf: map[string]int{}}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if r.start.Add(fleetTimeout).Before(from) {
			continue
		}
		n.requests++
		if waited(r.failure) && idle.since(r.start)-idle.since(r.end) > maxAway {
			n.away++
			continue
		}
		if r.failure != "" {
			n.failed++
			n.why[r.failure]++
			n.last = max(n.last, r.start.Sub(from))
			n.when = append(n.when, seconds(r.start.Sub(from)))
		}
		if r.again != "" {
			n.twice++
		}
	}
	for _, h := range c.held {
		h.set(func() {
			switch {
			case h.broken != "":
				n.broken++
				n.brokenOf[h.server]++
				n.why["held "+h.broken]++
			case !h.asked.IsZero() && time.Since(h.asked) > heldStalls:
				n.stalled++
			}
		})
	}
	return n
}

func (n counted) String() string {
	return fmt.Sprintf("%d requests, %d failed (%d again, the last after %.1f s), %d broken, %d stalled %v, %d "+
		"not counted", n.requests, n.failed, n.twice, n.last.Seconds(), n.broken, n.stalled, n.why, n.away)
}
