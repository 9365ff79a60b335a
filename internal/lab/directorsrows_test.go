package lab

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// fleetRow is one change, and what clients may see of it.
type fleetRow struct {
	name    string
	address string // the client's target; empty: vip
	bounds  bounds
	before  func() // makes the state before the change; nil: everything is whole
	happens func()
	settles time.Duration // time after the change; zero: afterChange
	ends    func()        // waits for the state after the change; nil: none
	restore func()        // nil: nothing to restore
}

// bounds are what clients may see of a change.
type bounds struct {
	failed int           // the largest number of failed requests; negative: any number
	within time.Duration // how soon after the change failures must end; zero: any time
	broken int           // the largest number of broken connections, without those of
	of     string        // this real server
	twice  bool          // a request may fail twice
}

var (
	unbounded = bounds{failed: -1, broken: heldConnections, twice: true}
	nothing   = bounds{}
	planned   = bounds{failed: 3, broken: 1}
	dead      = bounds{failed: -1, within: 2 * time.Second, broken: 1, twice: true}
)

const (
	beforeChange = 2 * time.Second
	afterChange  = 4 * time.Second
	maxLostInRow = 500 * time.Millisecond // time in which the machine did not run: the row is played again
	rowAttempts  = 4
)

// plays makes a change while a client makes requests, and compares what the client saw with the bounds.
func (f *fleet) plays(r fleetRow) {
	f.t.Helper()
	if r.address == "" {
		r.address = vip
	}
	for attempt := 1; ; attempt++ {
		if r.before != nil {
			r.before()
		}
		begun := time.Now()
		c := f.client(r.address)
		time.Sleep(beforeChange)
		before := c.count(time.Time{}, f.idle)
		from := time.Now()
		r.happens()
		time.Sleep(cmp.Or(r.settles, afterChange))
		if r.ends != nil {
			r.ends()
		}
		n, lost, bad := c.count(from, f.idle), f.idle.since(from), f.seen.longest(from, f.idle)
		away := f.idle.since(begun) // also counts the time before the change
		c.end()
		if r.restore != nil {
			r.restore()
		}
		broken := r.bounds.judge(n, lost, bad)
		if before.failed+before.broken > 0 {
			broken += fmt.Sprintf(" before the change %d requests failed, %d held connections broke",
				before.failed, before.broken)
		}
		fmt.Printf("%-64s | %s; announced and not served for %s s at most; the machine was away for %s s %s\n",
			r.name, n, seconds(bad), seconds(lost), broken)
		if broken == "" {
			return
		}
		if away < maxLostInRow || attempt == rowAttempts {
			f.t.Errorf("%s at %s: %s; requests failed after %v s\n%s", r.name,
				from.Format(time.TimeOnly+".00"), broken, n.when, f.state())
			return
		}
	}
}

// judge returns what is out of bounds; empty if nothing is.
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
