package daemon

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"ldirectord/internal/instance"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/plan"
	"ldirectord/internal/runfile"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

const (
	claimTimeout = time.Second // the time limit for locking the run folders and looking at other daemons
	// the time between two looks at other daemons while this one waits for one of their virtual services, or they
	// change one of its own
	waitInterval = 300 * time.Millisecond
)

// claims decides which virtual services the director of this daemon may take. A running daemon owns the virtual
// services that it has recorded, unless it is on standby. Records are written while the run folders are locked.
type claims struct {
	d       *daemon
	changed notify.Wake

	mu         sync.Mutex // guards what follows
	neighbours neighbours
	mine       keySet             // the virtual services that this daemon may take
	has, waits keySet             // the virtual services in the record
	yields     bool               // in the record: others may take its virtual services
	last       []neighbour        // the other daemons at the last look
	contested  bool               // another daemon changes our virtual services too, so the table is read often
	marking    []*parser.Virtual  // the sections of the file that set marks
	names      map[lvs.Key]string // the file's servicenames
	reported   map[string]bool
}

func newClaims(d *daemon) *claims {
	c := &claims{d: d, changed: notify.NewWake(), neighbours: newNeighbours(d.Instance, d.Config)}
	c.renew(d.Loaded.Config)
	if d.lock.Before.IsHandedOver() {
		c.mine = newKeySet(d.lock.Before.Virtuals)
	}
	return c
}

// Changed implements director.Claims.
func (c *claims) Changed() <-chan struct{} { return c.changed }

// Take implements director.Claims. A virtual service belongs to the daemon that recorded it first.
func (c *claims) Take(keys, left []lvs.Key) (taken, beside map[lvs.Key]string) {
	ctx, cancel := context.WithTimeout(context.Background(), claimTimeout)
	defer cancel()
	defer c.d.Instance.LockFolders(ctx)()
	c.mu.Lock()
	defer c.mu.Unlock()
	taken, beside = map[lvs.Key]string{}, map[lvs.Key]string{}
	c.last = c.neighbours.look(ctx)
	for _, n := range c.last {
		for _, k := range n.has {
			if beside[k] = n.name; !c.mine.has(k) {
				taken[k] = n.name
			}
		}
		for _, k := range n.waits {
			beside[k] = n.name
		}
	}
	var has, waits []lvs.Key
	for i, k := range slices.Concat(keys, left) {
		if taken[k] == "" {
			has = append(has, k)
		} else if i < len(keys) {
			waits = append(waits, k)
		}
	}
	c.record(newKeySet(has), newKeySet(waits), len(keys) == 0)
	c.tell()
	return taken, beside
}

// record saves the virtual services that this daemon has and those that it waits for, if they have changed.
func (c *claims) record(has, waits keySet, yields bool) {
	if slices.Equal(has, c.has) && slices.Equal(waits, c.waits) && yields == c.yields {
		return // mine keeps what a handover left in it
	}
	c.has, c.waits, c.yields = has, waits, yields
	if c.mine = has; yields {
		c.mine = nil
	}
	c.d.record(func(s *instance.State) { s.Virtuals, s.Waits, s.Yields = has, waits, yields })
}

// tell reports the virtual services that this daemon shares with others, and directors whose virtual services are
// unknown. It also reports virtual services of others whose packets the mark rules of this daemon catch. It leaves out
// what it had already found at its last call.
func (c *claims) tell() {
	reported := map[string]bool{}
	say := func(before string, ids []string, after string) {
		if len(ids) > 0 {
			reported[before+view.Listed(ids)+after] = true
		}
	}
	c.contested = false
	for _, n := range c.last {
		belong, taken := " belong to ", c.called(n.has, c.waits.has)
		if len(taken) == 1 && taken[0] != lvs.TimeoutsKey.ID() {
			belong = " belongs to "
		}
		say("", taken, belong+n.name+": this daemon takes over when that one gives up control")
		say(n.name+", waits for ", c.called(n.waits, c.mine.has),
			": that daemon takes over when this one gives up control")
		changed := c.called(n.has, c.mine.has)
		c.contested = c.contested || len(changed) > 0
		say("Changed by "+n.name+", too: ", changed, "; changes by that daemon count as made by hand")
		for _, v := range c.marking {
			caught := c.called(n.has, func(k lvs.Key) bool { return plan.Catches(v, k) })
			marked := view.Label(v.ID, v.ServiceName)
			say("Marked here: "+marked+" gets packets of "+n.name+": ", caught, "")
		}
	}
	for _, what := range c.neighbours.unknown {
		reported["Other directors: "+what+"; both daemons change the virtual services that both have"] = true
	}
	for _, text := range slices.Sorted(maps.Keys(reported)) {
		if !c.reported[text] {
			c.d.say(notify.Shared, "%s", text)
			if c.d.Ready != nil { // closed after the start
				fmt.Fprintln(c.d.Ready, text)
			}
		}
	}
	c.reported = reported
}

// addresses returns the addresses that other daemons announce (see announce.Claims).
func (c *claims) addresses(ctx context.Context) (taken map[netip.Addr]string, release func()) {
	release = c.d.Instance.LockFolders(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	taken = map[netip.Addr]string{}
	for _, n := range c.neighbours.look(ctx) {
		for addr := range n.announced {
			taken[addr] = n.name
		}
	}
	return taken, release
}

// follow notifies the director when claims of other daemons may have changed. It runs until ctx is done.
func (c *claims) follow(ctx context.Context) {
	for wait := waitInterval; runfile.Pause(ctx, wait); {
		wait = c.lookAgain(ctx)
	}
}

// lookAgain notifies the director if claims of other daemons have changed since the last look, or if the table must be
// read because others change it, too. It returns the time until the next look.
func (c *claims) lookAgain(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.neighbours.look(ctx)
	if c.contested || !reflect.DeepEqual(now, c.last) {
		c.changed.Up()
	}
	if c.last = now; c.contested || len(c.waits) > 0 {
		return waitInterval
	}
	return pollInterval
}

// renew notes the sections of a file that set marks or have a servicename. The next look at other daemons reads the
// command lines of all processes.
func (c *claims) renew(cfg *parser.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.neighbours.everybody = true
	c.marking, c.names = nil, map[lvs.Key]string{}
	for _, v := range cfg.Virtuals {
		if len(v.Marking) > 0 {
			c.marking = append(c.marking, v)
		}
		if v.ServiceName != "" {
			c.names[v.Key] = v.ServiceName
		}
	}
}

// keySet is a sorted list of keys of virtual services. It is never changed.
type keySet []lvs.Key

func newKeySet(keys []lvs.Key) keySet {
	return slices.Clip(slices.Compact(slices.SortedFunc(slices.Values(keys), lvs.Key.Compare)))
}

func (s keySet) has(k lvs.Key) bool {
	_, found := slices.BinarySearchFunc(s, k, lvs.Key.Compare)
	return found
}

// called returns the names that the file gives to the virtual services for which isMeant is true.
func (c *claims) called(keys []lvs.Key, isMeant func(lvs.Key) bool) (ids []string) {
	for _, k := range keys {
		if isMeant(k) {
			ids = append(ids, view.Label(k.ID(), c.names[k]))
		}
	}
	return ids
}
