package lab

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// A new version is installed on one server after the other, by drain. Existing connections continue to their end, new
// ones go to other servers, and no request fails.
func (m *matrix) rollingRelease(t *testing.T) {
	l := m.lab.with(t)
	webs := map[string]*web{}
	for _, ns := range three {
		webs[ns] = l.web(ns)
		webs[ns].keepAlive = true // also for its later versions
		webs[ns].server.SetKeepAlivesEnabled(true)
	}
	config := l.example("rolling-release.cf")
	l.start(config)
	l.untilServers(3, "-w 0")
	m.row(t, "a rolling release: long connections end, new ones go elsewhere, none fails", dr4, "address",
		func(t *testing.T) {
			l := l.with(t)
			loads := l.keepAsking(m.clients(6))
			for _, rs := range []string{"rs1", "rs2"} {
				server := "192.0.2.2" + rs[2:]
				l.release(webs[rs], loads, m.clients(1)[0],
					func() { l.does("drain", server) },
					func() { l.does("undrain", server) })
			}
			requests, connections, failures := loads.end()
			t.Logf("%d requests over %d connections", requests, connections)
			if len(failures) > 0 || requests < 100 {
				t.Errorf("%d requests, failures: %q", requests, failures)
			}
		})
}

// release takes a server out, waits for its connections, restarts it, and puts it back.
func (l *lab) release(w *web, loads *keptAlive, client int, out, in func()) {
	l.t.Helper()
	entry := "-t 192.0.2.10:80 -r 192.0.2.2" + w.ns[2:] + ":80 -g -w "
	long := l.longTransfer(w.ns, dr4.client(client))
	out()
	l.until(5*time.Second, entry+"0")
	since := time.Now()
	loads.until(30, since) // begun since then, while none from before is left
	testkit.Equal(l.t, loads.begun(w.ns, since), 0, "new connections to", w.ns, "which has weight 0")
	close(w.finish)
	if end, err := io.ReadAll(long); err != nil || !strings.HasSuffix(string(end), "the end\n") {
		l.t.Errorf("the long connection to %s: %q, %v", w.ns, end, err)
	}
	w.stop()
	w.start()
	in()
	l.until(10*time.Second, entry+"1")
}

// longTransfer is an answer of a server that lasts until its finish is closed. Connections to other servers stay open
// until it is found: with wlc, the next one then goes elsewhere.
func (l *lab) longTransfer(server string, client netip.Addr) io.Reader {
	l.t.Helper()
	for range 100 {
		conn := l.dial(client, "tcp", "192.0.2.10:80")
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		fmt.Fprint(conn, "GET /drip HTTP/1.0\r\n\r\n")
		answer := testkit.Must(http.ReadResponse(bufio.NewReader(conn), nil))(l.t)
		if answer.Header.Get("Server") == server {
			return answer.Body
		}
		defer conn.Close()
	}
	l.t.Fatalf("no connection came to %s", server)
	return nil
}

// keptAlive are clients that make requests all the time, several over each connection.
type keptAlive struct {
	stop chan struct{}
	done sync.WaitGroup

	mu          sync.Mutex // guards the fields below
	requests    int
	connections []connection
	asking      map[netip.Addr]time.Time // when the current connection of each client began
	failures    []string
}

// connection is a connection with its requests done.
type connection struct {
	server string
	begun  time.Time
}

const requestsPerConnection = 5

func (l *lab) keepAsking(clients []int) *keptAlive {
	k := &keptAlive{stop: make(chan struct{}), asking: map[netip.Addr]time.Time{}}
	for _, n := range clients {
		k.done.Go(func() {
			if err := l.enter("client", func() { k.ask(dr4.client(n)) }); err != nil {
				l.t.Error(err)
			}
		})
	}
	l.t.Cleanup(func() { k.end() })
	return k
}

func (k *keptAlive) ask(client netip.Addr) {
	for {
		select {
		case <-k.stop:
			return
		default:
		}
		begun := time.Now()
		k.mu.Lock()
		k.asking[client] = begun
		k.mu.Unlock()
		server, n, err := severalRequests(client)
		k.mu.Lock()
		k.requests += n
		k.connections = append(k.connections, connection{server, begun})
		if err != nil {
			k.failures = append(k.failures, err.Error())
		}
		k.mu.Unlock()
	}
}

// severalRequests makes requests over one connection. It returns the server and the number of answers.
func severalRequests(client netip.Addr) (server string, n int, err error) {
	conn, err := dialFrom(client, "tcp", "192.0.2.10:80")
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	for from := bufio.NewReader(conn); n < requestsPerConnection; n++ {
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n"); err != nil {
			return server, n, err
		}
		answer, err := http.ReadResponse(from, nil)
		if err != nil {
			return server, n, err
		}
		body, err := io.ReadAll(answer.Body)
		if word, ok := strings.CutSuffix(string(body), " OK\n"); err != nil || !ok || server != "" &&
			word != server {
			return server, n, fmt.Errorf("answer %q, %v", body, err)
		} else {
			server = word
		}
		time.Sleep(10 * time.Millisecond)
	}
	return server, n, nil
}

// until waits until n connections have begun after a time, and all from before have ended.
func (k *keptAlive) until(n int, since time.Time) {
	for end := time.Now().Add(10 * time.Second); (k.begun("", since) < n || k.old(since)) &&
		time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
}

// old reports whether a client still has a connection from before a time.
func (k *keptAlive) old(since time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, begun := range k.asking {
		if !begun.After(since) {
			return true
		}
	}
	return false
}

// begun counts the connections to a server, or to all, that began after a time.
func (k *keptAlive) begun(server string, since time.Time) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.connections {
		if c.begun.After(since) && (server == "" || c.server == server) {
			n++
		}
	}
	return n
}

// end stops the clients, and returns the results.
func (k *keptAlive) end() (requests, connections int, failures []string) {
	select {
	case <-k.stop:
	default:
		close(k.stop)
	}
	k.done.Wait()
	return k.requests, len(k.connections), k.failures
}
