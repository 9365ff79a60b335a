package peers

import (
	"cmp"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// watches are the values of watch that are compared; "" is none.
var watches = []string{"", "yes", "10", "1"}

// watchCost is what one run measured.
type watchCost struct {
	share float64 // of a core, percent: the daemon
	// of a core, percent: all processors, with the servers, the kernel's timers and whatever else runs
	machine   float64
	rss       int     // bytes: the daemon
	ready     float64 // seconds from the start until all servers are checked and watched
	connected int     // connections that the daemon keeps
	kernel    float64 // bytes of the kernel for one socket of a connection; 0 where there is none
}

// TestWatched measures what watch costs, beside the same servers without it. It runs like TestPeers.
func TestWatched(t *testing.T) {
	rows, repeats, window := plan(t, func(r row) bool { return r.kind == watched })
	lines := [][]string{{"servers", "`watch`", "processor of the daemon, %", "of the machine, %",
		"memory of the daemon, MiB", "more a server, kB", "the kernel's a socket, kB", "ready, s"}}
	for _, r := range rows {
		n := repeats
		if r.servers >= 5000 {
			n = 1
		}
		without := 0.0
		for _, watch := range watches {
			var costs []watchCost
			for range n {
				c := measureWatch(t, r, watch, window)
				fmt.Printf("%v, watch = %-4s %5.2f %% of a core, the machine %5.1f %%, %5.1f MiB, %d "+
					"connections, %.2f kB a socket, ready after %.1f s\n",
					r, cmp.Or(watch, "none"), c.share, c.machine, float64(c.rss)/(1<<20),
					c.connected, c.kernel/1000, c.ready)
				costs = append(costs, c)
			}
			rss := median(costs, func(c watchCost) float64 { return float64(c.rss) })
			line := []string{fmt.Sprintf("%d, %v", r.servers, r.every), cmp.Or(watch, "none"),
				fmt.Sprintf("%.2f", median(costs, func(c watchCost) float64 { return c.share })),
				fmt.Sprintf("%.1f", median(costs, func(c watchCost) float64 { return c.machine })),
				fmt.Sprintf("%.1f", rss/(1<<20)), "", "",
				fmt.Sprintf("%.1f", median(costs, func(c watchCost) float64 { return c.ready }))}
			if watch == "" {
				without = rss
			} else {
				line[5] = fmt.Sprintf("%.2f", (rss-without)/float64(r.servers)/1000)
				line[6] = fmt.Sprintf("%.2f",
					median(costs, func(c watchCost) float64 { return c.kernel })/1000)
			}
			lines = append(lines, line)
		}
	}
	fmt.Print("\n", markdown(lines))
}

// measureWatch runs the daemon over the servers of a row. What it measures begins when all are watched.
func measureWatch(t *testing.T, r row, watch string, window time.Duration) (c watchCost) {
	t.Helper()
	g := startTarget(t, "tcp")
	defer g.stop()
	slabs, sockets := socketSlabs(t), connections(t)
	cmd := watching(t, r, t.TempDir(), watch)
	begin := time.Now()
	said, ended := starts(t, cmd)
	defer end(cmd, ended)
	if _, ok := firstPass(t, g, r.servers, begin, ended); !ok {
		t.Fatalf("%v, watch = %s: no first pass: %s", r, watch, said.Bytes())
	}
	want := 0
	if watch != "" {
		want = 2 * r.servers // both ends are here
	}
	for connections(t)-sockets < want {
		if time.Since(begin) > maxFirst {
			t.Fatalf("%v, watch = %s: only %d connections: %s", r, watch, (connections(t)-sockets)/2,
				said.Bytes())
		}
		time.Sleep(100 * time.Millisecond)
	}
	c.ready = time.Since(begin).Seconds()
	time.Sleep(2 * time.Second)
	c.connected = (connections(t) - sockets) / 2
	if watch != "" {
		c.kernel = float64(socketSlabs(t)-slabs) / float64(want)
	}
	window = (window + r.every - 1) / r.every * r.every
	before, idle := used(t, cmd.Process.Pid), idleTime(t)
	begin = time.Now()
	time.Sleep(window)
	after, took := used(t, cmd.Process.Pid), time.Since(begin)
	c.share = 100 * float64(after.cpu-before.cpu) / float64(took)
	c.machine = 100*float64(runtime.NumCPU()) - 100*float64(idleTime(t)-idle)/float64(took)
	c.rss = after.rss
	return c
}

// connections is how many ends of TCP connections, and listeners, this network namespace has.
func connections(t *testing.T) int { return field(t, "/proc/net/sockstat", "TCP: inuse") }

// slabsOfSockets are the kernel's caches of which each socket has an object. It also has a directory entry: that cache
// changes with whatever opens files, so one is added.
var slabsOfSockets = []string{"TCP", "sock_inode_cache", "filp", "eventpoll_epi", "tcp_bind_bucket", "tcp_bind2_bucket"}

// socketSlabs is how many bytes they have in use. Caches that the kernel has merged with others count nothing.
func socketSlabs(t *testing.T) (sum int) {
	t.Helper()
	text := testkit.Read(t, "/proc/slabinfo")
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 4 {
			continue
		}
		active, _ := strconv.Atoi(words[1])
		size, _ := strconv.Atoi(words[3])
		for _, name := range slabsOfSockets {
			if words[0] == name {
				sum += active * size
			}
		}
		if words[0] == "dentry" {
			sum += size * connections(t)
		}
	}
	return sum
}

// idleTime is the time that the processors of this machine had nothing to do. What they do in interrupts is not told by
// the kernel: it samples, and looks before its timers run.
func idleTime(t *testing.T) (sum time.Duration) {
	t.Helper()
	text := testkit.Read(t, "/proc/stat")
	words := strings.Fields(text) // cpu, then user, nice, system, idle, iowait, irq, softirq, steal: in 1/100 s
	for _, i := range []int{4, 5, 8} {
		n := testkit.Must(strconv.Atoi(words[i]))(t)
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum
}
