package director

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/core"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// timedTable counts the changes, and records the time of the last one.
type timedTable struct {
	ipvsctl.Client
	mu      sync.Mutex
	changes int
	last    time.Time
}

func (tt *timedTable) Do(ctx context.Context, ops ...lvs.Op) []error {
	results := tt.Client.Do(ctx, ops...)
	tt.mu.Lock()
	defer tt.mu.Unlock()
	tt.changes += len(ops)
	tt.last = time.Now()
	return results
}

func (tt *timedTable) made() (changes int, last time.Time) {
	tt.mu.Lock()
	defer tt.mu.Unlock()
	return tt.changes, tt.last
}

// verdicts are four servers of a rack, which go down and come back at the same moment.
type verdicts struct {
	mu   sync.Mutex
	next *turn
}

// turn is the moment from which all four have the same new result.
type turn struct {
	ok      bool
	waiting int // servers whose checks have not begun yet
	at      time.Time
	come    chan struct{} // closed at that moment
}

func (v *verdicts) turn(ok bool) *turn {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next = &turn{ok: ok, waiting: 4, come: make(chan struct{})}
	return v.next
}

// checker is the check of one server.
func (v *verdicts) checker() checkFunc {
	var last *turn
	return func() checker.Result {
		v.mu.Lock()
		now := v.next
		if last != now {
			last = now
			if now.waiting--; now.waiting == 0 {
				now.at = time.Now()
				close(now.come)
			}
		}
		v.mu.Unlock()
		<-now.come
		return checker.Result{OK: now.ok}
	}
}

// All servers of 2,500 virtual services with four servers each go down and come back at once. The test logs how long
// the table takes to follow. On an otherwise idle machine that should be half a second at most.
func TestKernelFollowsARack(t *testing.T) {
	if _, err := os.Stat("/proc/net/ip_vs"); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and a kernel with IPVS: make test-kernel")
	}
	for _, quiescent := range []string{"yes", "no"} {
		t.Run("quiescent="+quiescent, func(t *testing.T) {
			kernel := testkit.Must(ipvsctl.Open(ipvsctl.Kernel))(t)
			defer kernel.Close()
			r := startRack(t, kernel, quiescent)
			for _, ok := range []bool{false, true} {
				t.Logf("up: %v: the table follows %v after the verdict", ok, r.turn(t, ok))
			}
			r.end()
		})
	}
}

// rack is a director over 2,500 virtual services with the same four servers.
type rack struct {
	table    *timedTable
	verdicts *verdicts
	end      func()
}

func startRack(t testing.TB, client ipvsctl.Client, quiescent string) *rack {
	r := &rack{table: &timedTable{Client: client}, verdicts: &verdicts{}}
	r.verdicts.turn(true)
	p := planOf(t, rackConfig(2500, quiescent), parser.Options{},
		func(checker.Spec) checkFunc { return r.verdicts.checker() })
	journal := notify.NewJournal(func(notify.Event) {})
	d := New(Deps{Table: r.table, World: core.World{
		Tell: []core.Receiver{core.Words(journal.Emit), core.Commands(notify.NewHooks(journal).Run)}}})
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, p) }()
	<-d.Settled()
	r.end = func() {
		end()
		testkit.OK(t, errors.Join(<-ended, journal.Close(context.Background())))
	}
	return r
}

// turn gives all servers the same new result. It returns the time until the table follows.
func (r *rack) turn(t testing.TB, ok bool) time.Duration {
	t.Helper()
	before, _ := r.table.made()
	now := r.verdicts.turn(ok)
	<-now.come
	made, last := r.table.made()
	for ; made < before+10000; made, last = r.table.made() {
		if time.Since(now.at) > 30*time.Second {
			t.Fatalf("%d changes were made in 30 s, want 10,000", made-before)
		}
		time.Sleep(time.Millisecond)
	}
	return last.Sub(now.at)
}

// rackConfig has virtual services with the same four servers.
func rackConfig(services int, quiescent string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "checkinterval = 2\nquiescent = %s\n", quiescent)
	for i := range services {
		fmt.Fprintf(&text, "virtual = 10.1.%d.%d:80\n\tchecktype = connect\n", i/250, i%250+1)
		for r := range 4 {
			fmt.Fprintf(&text, "\treal = 10.2.0.%d:80 gate\n", r+1)
		}
	}
	return text.String()
}
