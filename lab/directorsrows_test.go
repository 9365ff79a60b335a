package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// fleetRow is one change, and what clients saw of it.
type fleetRow struct {
	name    string
	address string // that is asked; vip if empty
	bounds  bounds
	happens func()
	restore func() // nil: there is nothing to restore
}

// bounds are what clients may see of a change.
type bounds struct {
	failed int           // requests at most; negative: any number
	within time.Duration // of the change, if any: when they may fail
	broken int           // held connections at most, without those of
	of     string        // this real server, if any
	twice  bool          // a request that is tried again at once may fail too
}

var (
	nothing = bounds{}
	planned = bounds{failed: 3, broken: 1}
	dead    = bounds{failed: -1, within: 2 * time.Second, broken: 1, twice: true}
)

const (
	beforeChange = 2 * time.Second
	afterChange  = 4 * time.Second
	maxLostInRow = 500 * time.Millisecond // of the machine: it is tried again
	rowAttempts  = 3
)

// plays makes a change while a client asks, and holds what the client saw against the bounds.
func (f *fleet) plays(r fleetRow) {
	f.t.Helper()
	if r.address == "" {
		r.address = vip
	}
	for attempt := 1; ; attempt++ {
		c := f.client(r.address)
		time.Sleep(beforeChange)
		before := c.count(time.Time{})
		from := time.Now()
		r.happens()
		time.Sleep(afterChange)
		n, lost, bad := c.count(from), f.idle.since(from), f.seen.longest(from, f.idle)
		c.end()
		if r.restore != nil {
			r.restore()
		}
		broken := r.bounds.judge(n, lost, bad)
		if before.failed+before.broken > 0 {
			broken += " before the change: " + before.String()
		}
		fmt.Printf("%-64s | %s; announced and not served for %s s at most; the machine was away for %s s %s\n", r.name, n, seconds(bad), seconds(lost), broken)
		if broken == "" {
			return
		}
		if lost < maxLostInRow || attempt == rowAttempts {
			f.t.Errorf("%s: %s", r.name, broken)
			return
		}
	}
}

// judge says what is out of bounds; "" if nothing is.
func (b bounds) judge(n counted, lost, unserved time.Duration) string {
	var bad []string
	add := func(so bool, format string, args ...any) {
		if so {
			bad = append(bad, fmt.Sprintf(format, args...))
		}
	}
	add(b.failed >= 0 && n.failed > b.failed, "%d requests failed, %d may", n.failed, b.failed)
	add(n.failed > 0 && b.within > 0 && n.last-lost > b.within, "a request failed after %s s", seconds(n.last))
	add(!b.twice && n.twice > 0, "%d requests failed again", n.twice)
	others := n.broken + n.stalled
	if b.of != "" {
		others -= n.brokenOf[b.of]
	}
	add(others > b.broken, "%d held connections broke, %d may", others, b.broken)
	add(unserved > maxUnserved, "an address was announced for %s s and not served", seconds(unserved))
	return strings.Join(bad, "; ")
}

// Several directors announce the virtual addresses: what clients see of changes, with BIRD.
func TestDirectors(t *testing.T) {
	f := newFleet(t, bird)
	f.start()
	f.plays(fleetRow{name: "nothing happens", bounds: nothing, happens: func() {}})
	f.plays(fleetRow{name: "a director dies, BFD", bounds: dead, happens: func() { f.dies(1) }, restore: func() { f.lives(1) }})
}

// The same with FRR.
func TestDirectorsFRR(t *testing.T) {
	f := newFleet(t, frr)
	f.start()
	f.plays(fleetRow{name: "a director dies, BFD", bounds: dead, happens: func() { f.dies(1) }, restore: func() { f.lives(1) }})
}

func (f *fleet) start() {
	f.t.Helper()
	for _, d := range f.directors {
		d.config(fleetConfig)
		d.run(0, d.path(), "start")
	}
	for _, d := range f.directors {
		d.until(readyTime, "-t 192.0.2.10:80 -r 203.0.113.23:80 -g -w 1", "-t 192.0.2.10:80 -r 203.0.113.22:80 -g -w 1", "-t 192.0.2.10:80 -r 203.0.113.21:80 -g -w 1")
		d.sh("ip -n %sdir addr add %s/32 dev lvs0", d.prefix, vip)
	}
	f.ready(directorCount, vip)
}

// dies takes a machine off both switches.
func (f *fleet) dies(director int) {
	f.pull(director, "x")
	f.pull(director, "s")
}

func (f *fleet) lives(director int) {
	f.plug(director, "x")
	f.plug(director, "s")
	f.ready(directorCount, vip)
	time.Sleep(3 * time.Second)
}

const fleetConfig = `checkinterval = 1
checktimeout = 2
negotiatetimeout = 2
quiescent = yes
virtual = 192.0.2.10:80
        real = 203.0.113.21->203.0.113.23:80 gate
        service = http
        request = "check"
        receive = "OK"
        scheduler = mh
        schedflags = mh-port,mh-fallback
`
