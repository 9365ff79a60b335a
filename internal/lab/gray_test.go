package lab

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// These are the modes of a server with a gray fault. Without a mode it echoes everything.
const (
	stuck  = "stuck"  // accepts no connection
	mute   = "mute"   // never answers
	resets = "resets" // resets each connection that it accepts
)

// grayLab has servers with gray faults, and counts the clients' requests.
type grayLab struct {
	*lab
	names         []string
	modes         map[string]*atomic.Value
	asked, failed atomic.Int64
}

func newGrayLab(t *testing.T) *grayLab {
	l := &grayLab{lab: newLab(t), names: []string{"rs1", "rs2", "rs3"}, modes: map[string]*atomic.Value{}}
	for _, ns := range l.names {
		l.sh("ip netns exec %s%s sysctl -qw net.core.somaxconn=32", l.prefix, ns)
		l.modes[ns] = &atomic.Value{}
		l.modes[ns].Store("")
		for _, port := range []string{":7000", ":7001", ":7002"} {
			l.gray(ns, port)
		}
	}
	l.sh(`ip -n %[1]sdir addr add 192.0.2.254/24 dev br0
		ip netns exec %[1]sdir iptables -t mangle -A PREROUTING -p tcp -d %[2]s \
			-m multiport --dports 7001,7002 -j MARK --set-mark 7`,
		l.prefix, natVIP)
	return l
}

// gray runs a server that behaves as its namespace's mode says.
func (l *grayLab) gray(ns, addr string) {
	listener := l.listen(ns, addr)
	mode := l.modes[ns]
	go func() {
		for {
			for mode.Load() == stuck {
				time.Sleep(10 * time.Millisecond)
			}
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go serveGray(c.(*net.TCPConn), mode.Load().(string))
		}
	}()
}

func serveGray(c *net.TCPConn, mode string) {
	defer c.Close()
	switch mode {
	case mute:
		io.Copy(io.Discard, c)
	case resets:
		c.SetLinger(0)
	default:
		io.Copy(c, c)
	}
}

// fails makes the server of a namespace fail. The returned function heals it, and returns the numbers of requests in
// between.
func (l *grayLab) fails(row grayFault, ns string) (heal func() (asked, failed int64)) {
	l.t.Helper()
	end := func() {}
	if row.with != nil {
		end = row.with(l)
	}
	l.modes[ns].Store(row.mode)
	l.onServer(ns, row.fail)
	asked, failed := l.asked.Load(), l.failed.Load()
	return func() (int64, int64) {
		asked, failed = l.asked.Load()-asked, l.failed.Load()-failed
		l.onServer(ns, row.heal)
		l.modes[ns].Store("")
		end()
		return asked, failed
	}
}

// onServer runs a script of a grayFault.
func (l *grayLab) onServer(ns, script string) {
	l.t.Helper()
	if script != "" {
		l.sh("export P=%s IP=%s\nip netns exec %[1]s%[3]s sh -e <<'END'\n%[4]s\nEND",
			l.prefix, strings.TrimSuffix(observedAt(ns), ":7000"), ns, script)
	}
}

// comeAndGo starts clients that connect repeatedly, each to one of the addresses, and send a request. A request without
// an answer soon counts as failed, but its client still waits.
func (l *grayLab) comeAndGo(to ...string) (end func()) {
	const clients, pause, soon, patience = 72, 300 * time.Millisecond, 200 * time.Millisecond,
		2500 * time.Millisecond
	request := make([]byte, 2000)
	ask := func(to string) error {
		conn, err := net.DialTimeout("tcp4", to, patience)
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Write(request); err != nil {
			return err
		}
		_, err = io.ReadFull(conn, make([]byte, len(request)))
		return err
	}
	over := make(chan struct{})
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			l.enter("client", func() {
				for every(over, rand.N(2*pause)) {
					l.asked.Add(1)
					late := time.AfterFunc(soon, func() { l.failed.Add(1) })
					if err := ask(to[i%len(to)]); late.Stop() && err != nil {
						l.failed.Add(1)
					}
				}
			})
		})
	}
	return func() { close(over); all.Wait() }
}

// askMark starts clients of both ports of the mark.
func (l *grayLab) askMark() (end func()) { return l.comeAndGo(natVIP+":7001", natVIP+":7002") }

// talk starts clients with open connections to all servers.
func (l *grayLab) talk() (end func()) {
	const clients = 20
	var open []net.Conn
	l.in("client", func() {
		for range clients {
			c, err := net.DialTimeout("tcp4", natVIP+":7000", time.Second)
			if err != nil {
				l.t.Error(err)
				continue
			}
			open = append(open, c)
		}
	})
	over := make(chan struct{})
	go func() {
		for {
			for _, c := range open {
				fmt.Fprint(c, "?")
				c.SetReadDeadline(time.Now().Add(time.Second))
				c.Read(make([]byte, 1))
			}
			select {
			case <-over:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	return func() {
		close(over)
		for _, c := range open {
			c.Close()
		}
	}
}
