package director

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/core"
	"ldirectord/lvs"
	"ldirectord/orders"
)

// claimer are the claims of a director without others. It is called with the virtual services that may be in the
// table.
type claimer func([]lvs.Key)

func (c claimer) Take(keys, left []lvs.Key) (theirs, beside map[lvs.Key]string) {
	c(slices.Concat(keys, left))
	return nil, nil
}

func (c claimer) Changed() <-chan struct{} { return nil }

// neighbour is another daemon.
type neighbour struct {
	changed chan struct{}

	mu         sync.Mutex // guards the fields below
	has, waits map[lvs.Key]bool
	last       []lvs.Key // the virtual services that the director got
}

func (n *neighbour) Take(keys, left []lvs.Key) (theirs, beside map[lvs.Key]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	theirs, beside = map[lvs.Key]string{}, map[lvs.Key]string{}
	for k := range n.has {
		theirs[k], beside[k] = "b.cf, pid 7", "b.cf, pid 7"
	}
	for k := range n.waits {
		beside[k] = "b.cf, pid 7"
	}
	n.last = slices.DeleteFunc(slices.Concat(keys, left), func(k lvs.Key) bool { return n.has[k] })
	return theirs, beside
}

func (n *neighbour) Changed() <-chan struct{} { return n.changed }

// becomes changes what the neighbour has and what it waits for.
func (n *neighbour) becomes(has, waits map[lvs.Key]bool) {
	n.mu.Lock()
	n.has, n.waits = maps.Clone(has), maps.Clone(waits)
	n.mu.Unlock()
	n.changed <- struct{}{}
	synctest.Wait()
}

const besideAnother = `checkinterval = 1
virtual = 10.1.0.1:80
	real = 10.2.0.1:80 gate 5
	checktype = connect
	onchange = tell
	emailalert = me@example.com
virtual = 10.1.0.2:80
	real = 10.2.0.1:80 gate 5
	checktype = connect
`

// A director beside another daemon checks a virtual service of that one, but changes nothing in the table and sends
// nothing. When the other ends, it takes the service over as found. It leaves to the other daemon the services that the other daemon waits for.
func TestADirectorBesideAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = besideAnother
		s.hand([]string{"-A", "-t", "10.1.0.1:80", "-s", "wrr"})
		s.hand([]string{"-a", "-t", "10.1.0.1:80", "-r", "10.2.0.1:80", "-g", "-w", "1"})
		s.take()
		s.journal = s.newJournal()
		theirs := map[lvs.Key]bool{keyFor(netip.MustParseAddrPort("10.1.0.1:80")): true}
		n := &neighbour{changed: make(chan struct{}), has: theirs}
		d := New(Deps{Table: s.table, Claims: n, World: core.World{Tell: s.receivers()}})
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.Run(ctx, s.plan("one")) }()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		does := func(want string, never ...string) {
			t.Helper()
			got := strings.Join(s.take(), "\n")
			is := func(word string) bool { return strings.Contains(got, word) }
			if !is(want) || slices.ContainsFunc(never, is) {
				t.Errorf("want %q, never %q:\n%s", want, never, got)
			}
		}
		does("-a -t 10.1.0.2:80", "10.1.0.1:80")
		now, err := d.Snapshot(ctx)
		if err != nil || now.Virtuals[0].Owner != "b.cf, pid 7" || now.Virtuals[0].Servers[0].State != "up" {
			t.Errorf("%v %+v", err, now)
		}
		order := orders.All{lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80"): {Kind: orders.Weigh, Weight: 7}}
		if err := d.Order(ctx, order); err != nil {
			t.Error(err)
		}
		does("", "-e -t 10.1.0.1:80")
		n.becomes(nil, nil)
		does("-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 7", "-A -t")
		s.hand([]string{"-d", "-t", "10.1.0.1:80", "-r", "10.2.0.1:80"})
		n.becomes(nil, theirs) // while another daemon waits, an emptied service is filled again
		does("-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 7")
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		does("-D -t 10.1.0.2:80", "-D -t 10.1.0.1:80", "unavailable")
		if err := s.journal.Close(context.Background()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second) // checks in flight end
	})
}
