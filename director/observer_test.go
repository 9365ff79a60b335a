package director

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/core"
	"ldirectord/lvs"
)

// as in judge
const (
	minUnanswered = 20
	maxQuiet      = 10
)

const threeObserved = `checkinterval = 600
virtual = 10.1.0.1:80
	real = 10.2.0.1:80 masq
	real = 10.2.0.2:80 masq
	real = 10.2.0.3:80 masq
	checktype = connect
	observe = yes
virtual = 10.1.0.2:80
	real = 10.2.0.1:80 masq
	real = 10.2.0.2:80 masq
	checktype = connect
	observe = yes
`

// The counters are read every two seconds, in one request for all observed sections. They are not read without the
// directive, for servers that can't be observed, and on standby.
func TestWhatIsReadForObserve(t *testing.T) {
	for what, row := range map[string]struct {
		config  string
		standby bool
		looks   int32
	}{
		"yes":      {threeObserved, false, 30},
		"without":  {strings.ReplaceAll(threeObserved, "\tobserve = yes\n", ""), false, 0},
		"no":       {strings.ReplaceAll(threeObserved, "= yes", "= no"), false, 0},
		"gate":     {strings.ReplaceAll(threeObserved, "masq", "gate"), false, 0},
		"udp":      {strings.ReplaceAll(threeObserved, "\tobserve", "\tprotocol = udp\n\tobserve"), false, 0},
		"standby":  {threeObserved, true, 0},
		"promoted": {threeObserved, true, 30},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScenario(t)
				s.configs["one"] = row.config
				s.start("one", row.standby)
				time.Sleep(time.Second)
				if what == "promoted" {
					s.director.SetStandby(t.Context(), false)
				}
				s.table.looks.Store(0)
				time.Sleep(time.Minute)
				if n := s.table.looks.Load(); n != row.looks {
					t.Errorf("read %d times, want %d", n, row.looks)
				}
				s.stop(ErrHandover)
			})
		})
	}
}

// A gate server answers past the director, so it isn't compared. Two lines with one address are one server.
func TestWhichServersAreComparedForObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = strings.Replace(threeObserved, "0.3:80 masq\n", "0.3:80 gate\n\treal = 10.2.0.1:80 masq\n", 1)
		s.start("one", false)
		time.Sleep(time.Second)
		for range 3 {
			for i, out := range []string{"0", "30", "0"} {
				s.step([]string{"traffic", servers[i].String(), "15", "15", out}, "")
			}
			time.Sleep(core.ObserveInterval)
		}
		v := snapshotOf(t, s.director).Virtuals[0]
		if v.Servers[0].Suspected+v.Servers[3].Suspected == "" || v.Servers[1].Suspected+v.Servers[2].Suspected != "" {
			t.Errorf("suspected: %q, %q, %q, %q", v.Servers[0].Suspected, v.Servers[1].Suspected, v.Servers[2].Suspected,
				v.Servers[3].Suspected)
		}
		s.stop(context.Canceled)
		time.Sleep(time.Second)
	})
}

// While the table does not answer, nothing is forgotten. A server that is gone from the table is forgotten.
func TestWhatCanNotBeReadIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		table := &mute{recorder: s.table}
		s.client = table
		s.configs["one"] = threeObserved
		s.start("one", false)
		time.Sleep(time.Second)
		ask := func() string {
			for i, out := range []int{0, 30, 30} {
				s.step([]string{"traffic", servers[i].String(), "15", "15", fmt.Sprint(out)}, "")
			}
			time.Sleep(core.ObserveInterval)
			return snapshotOf(t, s.director).Virtuals[0].Servers[0].Suspected
		}
		ask()
		ask()
		const suspected = "30 connections in 4 s, 0 packets back; its checks pass"
		if got := ask(); got != suspected {
			t.Fatalf("after three looks it is suspected for %q, want %q", got, suspected)
		}
		if s := snapshotOf(t, s.director).Virtuals[0].Servers[0]; s.Note != "suspected: "+suspected || s.State != "up" {
			t.Errorf("its note is %q, and it is %s", s.Note, s.State)
		}
		table.silent.Store(true)
		time.Sleep(time.Minute)
		if got := snapshotOf(t, s.director).Virtuals[0].Servers[0].Suspected; got != suspected {
			t.Errorf("while the table is silent: %q", got)
		}
		table.silent.Store(false)
		time.Sleep(time.Minute - maxQuiet*core.ObserveInterval)
		s.take()
		key := snapshotOf(t, s.director).Virtuals[0].Key
		s.table.Memory.Do(t.Context(), lvs.Op{Kind: lvs.DelDest, Key: key, Dest: lvs.Dest{Addr: servers[0]}})
		time.Sleep(2 * core.ObserveInterval)
		if got := snapshotOf(t, s.director).Virtuals[0].Servers[0].Suspected; got != "" {
			t.Errorf("removed from the table, it is still suspected: %q", got)
		}
		s.stop(context.Canceled)
		time.Sleep(time.Second)
	})
}
