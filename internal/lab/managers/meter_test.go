package managers

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	askEvery = 100 * time.Millisecond
	askTime  = 500 * time.Millisecond // for one request
)

// meter is the client: it asks the virtual address ten times a second, each time by a new connection.
type meter struct {
	mu      sync.Mutex // guards what follows
	answers []time.Time
	failed  time.Time // the last time
}

// newMeter begins to ask; it ends with the test.
func newMeter(t *testing.T) *meter {
	m := &meter{}
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() { inside(t, "client", func() { m.work(stop) }) })
	t.Cleanup(func() { close(stop); done.Wait() })
	return m
}

func (m *meter) work(stop <-chan struct{}) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		good := ask()
		m.mu.Lock()
		if now := time.Now(); good {
			m.answers = append(m.answers, now)
		} else {
			m.failed = now
		}
		m.mu.Unlock()
	}
}

// ask makes one request on this thread, which belongs to the client.
func ask() bool {
	conn, err := dial("80", askTime)
	if err != nil {
		return false
	}
	defer conn.Close()
	if conn.SetDeadline(time.Now().Add(askTime)) != nil {
		return false
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return false
	}
	text, err := io.ReadAll(io.LimitReader(conn, 4096))
	return err == nil && strings.HasPrefix(string(text), "HTTP/1.0 200") && strings.HasSuffix(string(text), " up\n")
}

// steady reports whether every request of the last while was answered.
func (m *meter) steady(while time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := time.Now().Add(-while)
	n := len(m.answers)
	return m.failed.Before(since) && n > 0 && m.answers[n-1].After(time.Now().Add(-2*askTime))
}

// gap is the longest time without an answer that ended after a moment.
func (m *meter) gap(since time.Time) (longest time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := 1; i < len(m.answers); i++ {
		if m.answers[i].After(since) {
			longest = max(longest, m.answers[i].Sub(m.answers[i-1]))
		}
	}
	return longest
}

func dial(port string, limit time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp4", net.JoinHostPort(virtualAddress, port), limit)
}
