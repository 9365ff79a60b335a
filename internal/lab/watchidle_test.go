package lab

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// A thousand servers close idle connections at random, half of them by a reset, for as long as IDLE_CLOSES says. All
// servers pass their checks, and none is taken out.
func TestKernelLongWatchIdle(t *testing.T) {
	onlyLong(t)
	lasts := testkit.Must(time.ParseDuration(cmp.Or(os.Getenv("IDLE_CLOSES"), "45s")))(t, "IDLE_CLOSES")
	const servers = 1000
	l := newNetwork(t, 0)
	var kept, closed atomic.Int64
	testkit.Serve(t, l.listen("dir", "0.0.0.0:8080"),
		func(c net.Conn) { endsAtRandom(c.(*net.TCPConn), &kept, &closed) })
	var reals strings.Builder
	for i := range servers {
		fmt.Fprintf(&reals, "\treal = 127.1.%d.%d:8080 masq\n", i/250, i%250+1)
	}
	path := l.config("checkinterval = 10\nchecktimeout = 5\nwatch = yes\nvirtual = " + natVIP +
		":80\n\tchecktype = connect\n" + reals.String())
	l.run(exitOK, "--ipvs", "memory", path, "start")
	l.saysWithin(20*time.Second, fmt.Sprintf("Added real server: 127.1.%d.%d:8080", (servers-1)/250,
		(servers-1)%250+1))
	for begin := time.Now(); kept.Load() < servers*9/10; time.Sleep(100 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("only %d servers have a connection:\n%s", kept.Load(), l.logText())
		}
	}
	before := len(l.logText())
	fewest, begun := kept.Load(), closed.Load()
	for begin := time.Now(); time.Since(begin) < lasts; time.Sleep(100 * time.Millisecond) {
		fewest = min(fewest, kept.Load())
	}
	n := closed.Load() - begun
	t.Logf("%d servers ended %d idle connections in %v; at least %d had one at any time", servers, n, lasts, fewest)
	if changed, lines := l.changes(before); changed > 0 || strings.Contains(l.logText()[before:], "watched") {
		t.Errorf("%d changes by ends of connections alone:\n%s\n%.4000s", changed, lines, l.logText()[before:])
	}
	if n < int64(lasts/time.Second) {
		t.Errorf("only %d connections were ended: the row says nothing", n)
	}
	l.run(exitOK, "--ipvs", "memory", path, "stop")
}

// endsAtRandom closes a connection after 6 to 120 s, unless the daemon does. If connections ended within 5 s, the
// daemon would stop watching the server.
func endsAtRandom(c *net.TCPConn, kept, closed *atomic.Int64) {
	kept.Add(1)
	defer kept.Add(-1)
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(6*time.Second + rand.N(114*time.Second)))
	if _, err := io.Copy(io.Discard, c); err == nil {
		return // the connection of a check
	}
	if closed.Add(1)%2 == 0 {
		c.SetLinger(0)
	}
}
