package managers

import (
	"os"
	"strings"
	"time"
)

const (
	lookEvery = 50 * time.Millisecond
	maxLook   = 3 * lookEvery // a look that comes later counts as this: the lab was away, not the director
)

// exposure is how long a director had the virtual address and not the whole table, so that clients found it and got
// no answer. That is what the director adds to a gap; the rest is the cluster manager's.
type exposure struct {
	stop  chan struct{}
	total chan time.Duration
}

// watch begins to measure on both machines.
func (c *cluster) watch() *exposure {
	e := &exposure{make(chan struct{}), make(chan time.Duration)}
	go func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		var total time.Duration
		for last := time.Now(); ; {
			select {
			case <-e.stop:
				e.total <- total
				return
			case now := <-tick.C:
				if c.d1.exposed() || c.d2.exposed() {
					total += min(now.Sub(last), maxLook)
				}
				last = now
			}
		}
	}()
	return e
}

// end returns what was measured.
func (e *exposure) end() time.Duration {
	close(e.stop)
	return <-e.total
}

// exposed reports whether the machine has the address and not the whole table. It reads files of the kernel and
// starts no process: the lab has one CPU for all, and a look must not delay what it looks at.
func (m *machine) exposed() bool { return m.hasAddress() && !m.servesBoth() }

func (m *machine) hasAddress() bool {
	return strings.Contains(m.network("fib_trie"), "|-- "+virtualAddress+"\n")
}

// servesBoth reports whether the virtual service has both real servers.
func (m *machine) servesBoth() bool {
	servers, inside := 0, false
	for line := range strings.Lines(m.network("ip_vs")) {
		switch words := strings.Fields(line); {
		case len(words) > 1 && words[0] == "TCP":
			inside = words[1] == "C000020A:0050" // 192.0.2.10:80
		case inside && len(words) > 3 && words[0] == "->" && words[3] == "1": // its weight
			servers++
		}
	}
	return servers == 2
}

// network is a file of the machine's network in /proc.
func (m *machine) network(file string) string {
	m.t.Helper()
	text, err := os.ReadFile("/proc/" + m.pid + "/net/" + file)
	if err != nil {
		m.t.Error(err)
	}
	return string(text)
}

// A machine that is read in a wrong way would never be exposed.
func (o *course) checkExposure(active, other *machine) {
	o.t.Helper()
	if !active.hasAddress() || !active.servesBoth() || other.hasAddress() {
		o.t.Fatalf("%s has the address %v and the table %v, %s has the address %v",
			active.name, active.hasAddress(), active.servesBoth(), other.name, other.hasAddress())
	}
}
