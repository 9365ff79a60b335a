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

	"ldirectord/instance"
	"ldirectord/ipvsctl"
	"ldirectord/notify"
	"ldirectord/parser"
)

const (
	claimTimeout = time.Second            // how long the run folders may be locked by others
	waitInterval = 300 * time.Millisecond // between two looks while another daemon has what this one waits for
)

// claims are the claims of this daemon on virtual services, for its director. A daemon that lives, and recorded one
// as its own, has it: the record is written while the run folders are locked.
type claims struct {
	d       *daemon
	changed chan struct{}

	mu         sync.Mutex // guards what follows
	neighbours *neighbours
	mine       map[ipvsctl.Key]bool // that no other one takes
	has, waits []ipvsctl.Key        // as recorded …
	yields     bool                 // … and that others may take what it has
	last       []neighbour          // as they were seen
	contested  bool                 // another one changes what is ours: the table is looked at
	marking    []parser.Virtual     // of the file
	soon       bool                 // another one has what we wait for, or changes what is ours
	everybody  bool                 // all command lines are to be looked at
	told       map[string]bool
}

func newClaims(d *daemon) *claims {
	c := &claims{d: d, changed: make(chan struct{}, 1), everybody: true}
	c.neighbours, c.marking = newNeighbours(d.Instance, d.lock.State, d.Config), d.Loaded.Config.Virtuals
	if d.lock.Before.IsHandedOver() {
		c.mine = setOf(d.lock.Before.Virtuals)
	}
	return c
}

// Changed implements director.Claims.
func (c *claims) Changed() <-chan struct{} { return c.changed }

// Take implements director.Claims.
func (c *claims) Take(keys, left []ipvsctl.Key) (theirs, beside map[ipvsctl.Key]string) {
	ctx, cancel := context.WithTimeout(context.Background(), claimTimeout)
	defer cancel()
	defer c.d.Instance.LockFolders(ctx)()
	c.mu.Lock()
	defer c.mu.Unlock()
	theirs, beside = map[ipvsctl.Key]string{}, map[ipvsctl.Key]string{}
	all := c.neighbours.look(ctx, c.everybody)
	c.everybody, c.last = false, all
	for _, n := range all {
		for _, k := range n.has {
			if beside[k] = n.name; !c.mine[k] {
				theirs[k] = n.name
			}
		}
		for _, k := range n.waits {
			beside[k] = n.name
		}
	}
	isTheirs := func(k ipvsctl.Key) bool { return theirs[k] != "" }
	has := slices.DeleteFunc(slices.Concat(keys, left), isTheirs)
	slices.SortFunc(has, ipvsctl.Key.Compare)
	has = slices.Compact(has)
	waits := slices.DeleteFunc(slices.Clone(keys), func(k ipvsctl.Key) bool { return !isTheirs(k) })
	c.record(has, waits, len(keys) == 0)
	c.tell(all, setOf(waits))
	return theirs, beside
}

// record writes down what this daemon has and what it waits for, if that changed.
func (c *claims) record(has, waits []ipvsctl.Key, yields bool) {
	if !slices.Equal(has, c.has) || !slices.Equal(waits, c.waits) || yields != c.yields {
		c.has, c.waits, c.yields = has, waits, yields
		c.d.record(func(s *instance.State) { s.Virtuals, s.Waits, s.Yields = has, waits, yields })
	}
	if c.mine = setOf(has); yields {
		c.mine = nil
	}
}

// tell says once what this daemon and others have in common.
func (c *claims) tell(all []neighbour, waits map[ipvsctl.Key]bool) {
	told := map[string]bool{}
	say := func(format, ids string, who ...any) {
		if ids != "" {
			told[fmt.Sprintf(format, append(who, ids)...)] = true
		}
	}
	c.contested = false
	for _, n := range all {
		say("Belong to %s: %s; this daemon takes over what that one leaves", common(n.has, waits), n.name)
		say("Awaited by %s: %s; it takes over what this daemon leaves", common(n.waits, c.mine), n.name)
		changed := common(n.has, c.mine)
		c.contested = c.contested || changed != ""
		say("Changed by %s too: %s; its changes count as made by hand", changed, n.name)
		for i := range c.marking {
			v := &c.marking[i]
			say("Marked here: %s has packets of %s: %s", caught(v, n.has), v.ID, n.name)
		}
	}
	for _, what := range c.neighbours.unknown {
		told["Other directors: "+what+"; what it has in common with this daemon, both change"] = true
	}
	c.soon = len(waits) > 0 || c.contested
	for _, text := range slices.Sorted(maps.Keys(told)) {
		if !c.told[text] {
			c.d.say(notify.Shared, text)
			if c.d.Ready != nil { // closed after the start
				fmt.Fprintln(c.d.Ready, text)
			}
		}
	}
	c.told = told
}

// addresses are those that others announce, see announce.Claims.
func (c *claims) addresses(ctx context.Context) (theirs map[netip.Addr]string, release func()) {
	release = c.d.Instance.LockFolders(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	theirs = map[netip.Addr]string{}
	for _, n := range c.neighbours.look(ctx, false) {
		for addr := range n.announced {
			theirs[addr] = n.name
		}
	}
	return theirs, release
}

// follow tells the director, until ctx is done, when others may have something else than before.
func (c *claims) follow(ctx context.Context) {
	for wait := waitInterval; instance.Pause(ctx, wait); {
		looking, cancel := context.WithTimeout(ctx, claimTimeout)
		changed, soon := c.lookAgain(looking)
		cancel()
		if changed {
			select {
			case c.changed <- struct{}{}:
			default:
			}
		}
		if wait = pollInterval; soon {
			wait = waitInterval
		}
	}
}

// lookAgain reports whether others have, or wait for, something else than at the last look, and whether that is to be
// known soon.
func (c *claims) lookAgain(ctx context.Context) (changed, soon bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.neighbours.look(ctx, false)
	changed = c.contested || !reflect.DeepEqual(now, c.last)
	c.last = now
	return changed, c.soon
}

// renew has the next claim, for another file, look at all command lines.
func (c *claims) renew(cfg *parser.Config) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.everybody, c.marking = true, cfg.Virtuals
}
