package daemon

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/socket"
	"ldirectord/internal/view"
)

// budgetInterval is the time between two attempts to carry out an order that waits for its budget.
const budgetInterval = 250 * time.Millisecond

// shortWithout returns the virtual services that would be short of servers if these servers were taken out, in addition
// to those that orders already take out.
func shortWithout(servers []lvs.Backend, now *view.Snapshot, all orders.All, later bool) (texts []string) {
	for _, short := range now.Short(servers, all.InForce(), later) {
		texts = append(texts, short.String())
	}
	return texts
}

// inBudget refuses an order that leaves a virtual service short of servers.
func inBudget(r orders.Request, short []string) error {
	if len(short) == 0 || !r.TakesOut() || r.Force {
		return nil
	}
	return socket.Early(fmt.Sprintf("%s; --force orders %s anyway", strings.Join(short, ", "), r.What()))
}

// line is the queue of orders that wait for their budget. It may be used concurrently.
type line struct {
	lock  sync.Mutex
	waits []*place
}

// place is the place of one order in the line.
type place struct {
	of     []string // the virtual services of its servers; nil before the first attempt
	serves bool     // this director served at the first attempt
}

func (l *line) enter() *place {
	p := &place{}
	l.lock.Lock()
	defer l.lock.Unlock()
	l.waits = append(l.waits, p)
	return p
}

func (l *line) leave(p *place) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.waits = slices.DeleteFunc(l.waits, func(other *place) bool { return other == p })
}

// next returns an error if an earlier order waits for one of the same virtual services, or if this director has stopped
// serving since the order entered the line. An order without a place in the line never waits.
func (l *line) next(p *place, meant []lvs.Backend, standby bool) error {
	if p == nil {
		return nil
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	if p.of == nil {
		p.serves = !standby
	}
	if p.serves && standby {
		return socket.Refused("this director is now on standby: the order was not carried out")
	}
	p.of = p.of[:0]
	for _, at := range meant {
		p.of = append(p.of, at.Virtual)
	}
	for _, other := range l.waits[:slices.Index(l.waits, p)] {
		for _, id := range p.of {
			if slices.Contains(other.of, id) {
				return socket.Early("an earlier order waits for its budget in " + id)
			}
		}
	}
	return nil
}
