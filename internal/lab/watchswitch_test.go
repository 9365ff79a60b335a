package lab

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/internal/testkit"
)

const (
	switchInterval = 30 * time.Second
	switchTimeout  = 5 * time.Second
)

// The switch of ten thousand watched servers reboots. The numbers of additional checks and of new connections are
// bounded, and no server is out whose check passes. SWITCH_SERVERS sets another number of servers.
func TestKernelLongWatchSwitch(t *testing.T) {
	onlyLong(t)
	servers, err := strconv.Atoi(cmp.Or(os.Getenv("SWITCH_SERVERS"), "10000"))
	if err != nil || servers < 1 {
		t.Fatalf("SWITCH_SERVERS: %v", err)
	}
	testkit.OK(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 16, Max: 1 << 16}))
	s := newSwitchLab(t, servers)
	began := time.Now()
	s.config(s.text())
	s.does("start")
	s.has(servers, time.Minute)
	for s.kept.Load() < int64(servers) {
		if time.Since(began)-s.idle.since(began) > 3*time.Minute {
			t.Fatalf("only %d servers have a connection after %v", s.kept.Load(), time.Since(began))
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("%d servers are watched after %v", servers, time.Since(began).Round(time.Second))
	time.Sleep(5 * time.Second)
	usual := s.opensFor(switchInterval)
	t.Logf("before: up to %d connections begun in a second", usual)

	from, ended, down := len(s.logText()), s.ended.Load(), time.Now()
	s.link("down")
	time.AfterFunc(2*time.Second, func() { s.link("up") })
	most := s.opensFor(switchInterval)
	n, lines := s.changes(from)
	t.Logf("away for 2 s: %d connections ended, up to %d begun in a second, %d changes of the table; this kernel "+
		"stood still for %v",
		s.ended.Load()-ended, most, n, s.idle.since(down).Round(time.Millisecond))
	if n > 0 {
		t.Errorf("away for 2 s: checks pass, but the table changed:\n%.4000s", lines)
	}
	s.bounded(most)
	s.has(servers, 0)

	s.link("down")
	down = time.Now()
	most = s.opensFor(switchInterval + 2*switchTimeout)
	left := s.inTable()
	s.link("up")
	up := time.Now()
	time.Sleep(switchTimeout + time.Second) // earlier checks have ended
	from = len(s.logText())
	most = max(most, s.opensFor(switchInterval*11/10))
	s.has(servers, switchTimeout)
	took := time.Since(up)
	said := s.logText()[from:]
	t.Logf("away for %v: %d are left then; up to %d connections begun in a second; all are back at most %v after "+
		"it is there again",
		switchInterval+2*switchTimeout, left, most, took.Round(time.Second))
	t.Logf("since then this kernel stood still for %v", s.idle.since(down).Round(time.Millisecond))
	s.bounded(most)
	if n := strings.Count(said, "] Deleted ") + strings.Count(said, "Check failed"); n > 0 {
		t.Errorf("%d servers were taken out though their checks passed:\n%.4000s", n, said)
	}
	s.does("stop")
}

// switchLab has servers that the director reaches over one link.
type switchLab struct {
	*lab
	servers     int
	kept, ended atomic.Int64 // connections of watches
}

func newSwitchLab(t *testing.T, servers int) *switchLab {
	s := &switchLab{lab: newNetwork(t, 1), servers: servers}
	s.sh(`ip -n %[1]srs1 route add local 10.64.0.0/16 dev lo
		ip -n %[1]sdir route add 10.64.0.0/16 via 192.0.2.21`, s.prefix)
	testkit.Serve(t, s.listen("rs1", ":80"), func(c net.Conn) {
		s.kept.Add(1)
		c.Read(make([]byte, 1))
		c.Close()
		s.kept.Add(-1)
		s.ended.Add(1)
	})
	return s
}

func (s *switchLab) text() string {
	const each = 500
	var text strings.Builder
	fmt.Fprintf(&text, "checkinterval = %v\nchecktimeout = %v\nwatch = 5\n", switchInterval, switchTimeout)
	for i := range s.servers {
		if i%each == 0 {
			fmt.Fprintf(&text, "virtual = %s:%d\n\tchecktype = connect\n", natVIP, 1+i/each)
		}
		fmt.Fprintf(&text, "\treal = 10.64.%d.%d:80 masq\n", i/250, i%250+1)
	}
	return text.String()
}

func (s *switchLab) link(state string) { s.sh("ip -n %sdir link set p-rs1-br0 %s", s.prefix, state) }

func (s *switchLab) inTable() (n int) {
	for _, v := range s.read() {
		n += len(v.Dests)
	}
	return n
}

// has waits until the table has n servers.
func (s *switchLab) has(n int, limit time.Duration) {
	s.t.Helper()
	for begin := time.Now(); s.inTable() != n; time.Sleep(500 * time.Millisecond) {
		if time.Since(begin)-s.idle.since(begin) > limit {
			s.t.Errorf("after %v the table has %d servers, want %d", limit, s.inTable(), n)
			return
		}
	}
}

// opensFor is the largest number of connections that the director opens in a second, during a time. It counts checks
// and watches.
func (s *switchLab) opensFor(lasts time.Duration) (most int) {
	last, at := s.opens(), time.Now()
	for begin := at; time.Since(begin) < lasts; {
		time.Sleep(time.Second)
		n, now := s.opens(), time.Now()
		most = max(most, int(float64(n-last)/now.Sub(at).Seconds()))
		last, at = n, now
	}
	return most
}

// opens is the number of TCP connections that the director has opened.
func (s *switchLab) opens() (n int) {
	s.t.Helper()
	var text []byte
	s.in("dir", func() { text, _ = os.ReadFile("/proc/thread-self/net/snmp") })
	var names []string
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		for i, name := range names {
			if words[0] == "Tcp:" && name == "ActiveOpens" {
				n, _ = strconv.Atoi(words[i])
			}
		}
		if names = nil; words[0] == "Tcp:" {
			names = words
		}
	}
	if n == 0 {
		s.t.Fatalf("no connections are counted:\n%s", text)
	}
	return n
}

// bounded compares the connections opened in a second with the bound: checks by checkinterval, 500 additional checks,
// 500 new watches.
func (s *switchLab) bounded(most int) {
	s.t.Helper()
	if bound := (s.servers/int(switchInterval/time.Second) + 500 + 500) * 11 / 10; most > bound {
		s.t.Errorf("%d connections begun in a second; at most %d may be", most, bound)
	}
}
