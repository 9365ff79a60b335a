package lab

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// Of a hundred servers one dies each second, while clients open new connections. The test measures how many of those
// fail with and without watch. Checkinterval is 10 s.
func TestKernelLongWatchTraffic(t *testing.T) {
	onlyLong(t)
	const deaths = 20
	var failed []int
	for _, watch := range []string{"no", "yes"} {
		t.Run("watch "+watch, func(t *testing.T) {
			m := newManyServers(t, watch)
			clients := m.clients()
			for i := range deaths {
				time.Sleep(time.Second)
				s := m.servers[i*7%manyServers]
				s.die()
				time.AfterFunc(4*time.Second, s.live)
			}
			made, lost, why := clients.end()
			rate := float64(made) / deaths
			t.Logf("watch = %s: %d of %d connections failed, %.0f a second, of %d deaths: %v", watch, lost,
				made, rate, deaths, why)
			if rate < 200 {
				t.Errorf("this guest carries only %.0f connections a second: the row says nothing",
					rate)
			}
			failed = append(failed, lost)
			m.does("stop")
		})
	}
	if len(failed) == 2 && (failed[0] < deaths || failed[1] > failed[0]/4) {
		t.Errorf("%[2]d connections failed with watch, %[1]d without", failed[0], failed[1])
	}
}

// manyServers is the number of servers, in one namespace, with an address each.
const manyServers = 100

type manyLab struct {
	*lab
	servers []*mortal
}

func newManyServers(t *testing.T, watch string) *manyLab {
	m := &manyLab{lab: newNetwork(t, 1)}
	var addresses, reals strings.Builder
	for i := range manyServers {
		fmt.Fprintf(&addresses, "addr add 192.0.2.%d/24 dev br0\n", 101+i)
		fmt.Fprintf(&reals, "\treal = 192.0.2.%d:80 masq\n", 101+i)
		m.servers = append(m.servers, &mortal{l: m.lab, addr: fmt.Sprintf("192.0.2.%d:80", 101+i)})
	}
	m.sh("ip -n %srs1 -batch - <<END\n%sEND", m.prefix, addresses.String())
	for _, s := range m.servers {
		s.live()
	}
	t.Cleanup(func() {
		for _, s := range m.servers {
			s.end()
		}
	})
	global := "checkinterval = 10\nchecktimeout = 1\n"
	if watch != "no" {
		global += "watch = " + watch + "\n"
	}
	m.config(global + "virtual = " + natVIP + ":80\n\tscheduler = rr\n\tchecktype = connect\n" +
		reals.String())
	m.does("start")
	m.until(20*time.Second, fmt.Sprintf("-r 192.0.2.%d:80", 101), fmt.Sprintf("-r 192.0.2.%d:80", 100+manyServers))
	time.Sleep(2 * time.Second) // until all are watched
	return m
}

// mortal is a server that answers OK to everything.
type mortal struct {
	l    *lab
	addr string

	mu       sync.Mutex // guards the fields below
	listener net.Listener
	open     map[net.Conn]bool
	ended    bool
}

func (s *mortal) live() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	var l net.Listener
	var err error
	if e := s.l.enter("rs1", func() { l, err = net.Listen("tcp", s.addr) }); e != nil || err != nil {
		s.l.t.Errorf("%s: %v, %v", s.addr, e, err)
		return
	}
	s.listener, s.open = l, map[net.Conn]bool{}
	go s.accept(l)
}

func (s *mortal) accept(l net.Listener) {
	for c, err := l.Accept(); err == nil; c, err = l.Accept() {
		s.mu.Lock()
		s.open[c] = true
		s.mu.Unlock()
		go func() {
			if _, err := c.Read(make([]byte, 64)); err == nil {
				c.Write([]byte("OK"))
			}
			c.Close()
			s.mu.Lock()
			delete(s.open, c)
			s.mu.Unlock()
		}()
	}
}

// die closes everything that the server has open, as the kernel does when a process dies.
func (s *mortal) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return
	}
	s.listener.Close()
	for c := range s.open {
		c.Close()
	}
}

func (s *mortal) end() {
	s.die()
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
}

// newcomers are clients that open new connections all the time.
type newcomers struct {
	stop chan struct{}
	done sync.WaitGroup

	mu           sync.Mutex // guards the fields below
	made, failed int
	why          map[string]int
}

func (m *manyLab) clients() *newcomers {
	const workers, each = 50, 100 * time.Millisecond
	c := &newcomers{stop: make(chan struct{}), why: map[string]int{}}
	for range workers {
		c.done.Go(func() {
			if err := m.enter("client", func() { c.ask(each) }); err != nil {
				m.t.Error(err)
			}
		})
	}
	return c
}

func (c *newcomers) ask(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		err := askOnce()
		c.mu.Lock()
		if c.made++; err != nil {
			c.failed++
			c.why[lastWords(err)]++
		}
		c.mu.Unlock()
	}
}

var manyClient = netip.MustParseAddr("198.51.100.100")

func askOnce() error {
	conn, err := dialFrom(manyClient, "tcp", natVIP+":80")
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("?")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 2))
	return err
}

// lastWords is the reason in an error, without the addresses.
func lastWords(err error) string {
	text := ": " + err.Error()
	return text[strings.LastIndex(text, ": ")+2:]
}

func (c *newcomers) end() (made, failed int, why map[string]int) {
	close(c.stop)
	c.done.Wait()
	return c.made, c.failed, c.why
}
