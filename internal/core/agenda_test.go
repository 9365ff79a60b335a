package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// Whatever is touched, gets a time or loses it: a wake-up looks at what is due, in the order of the file, and at
// nothing else. What stays due is looked at again.
func TestTheAgendaHasWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		var all []*virtual
		for i := range 40 {
			cfg := &parser.Virtual{ID: fmt.Sprint(i)}
			v := &virtual{Service: &plan.Service{Config: cfg}}
			v.Case.Section = &v.Service.Section
			all = append(all, v)
		}
		var a agenda
		a.enter(all, nil)
		if got := a.take(time.Now()); !slices.Equal(got, all) {
			t.Fatalf("at first %d of %d", len(got), len(all))
		} else {
			a.giveBack(got)
		}
		looked := 0
		for range 2000 {
			for range random.IntN(4) {
				v := all[random.IntN(len(all))]
				switch random.IntN(5) {
				case 0:
					v.touch()
				case 1:
					v.wakeAt(time.Now().Add(time.Duration(random.IntN(5)) * time.Second))
				case 2:
					v.wakeAt(time.Time{})
				case 3:
					v.sooner(time.Now().Add(time.Second))
				case 4:
					v.look()
				}
			}
			var want []*virtual
			var soonest time.Time
			for _, v := range all {
				if v.isOpen || isDue(v.again, time.Now()) {
					want = append(want, v)
				}
				soonest = earliest(soonest, v.again)
			}
			if !a.next().Equal(soonest) {
				t.Fatalf("due at %v, want %v", a.next(), soonest)
			}
			got := a.take(time.Now())
			if !slices.Equal(got, want) {
				t.Fatalf("%d are looked at, want %d", len(got), len(want))
			}
			looked += len(got)
			for _, v := range got {
				if v.dirty && random.IntN(3) > 0 { // it is decided and written
					v.dirty = false
				}
				if isDue(v.again, time.Now()) {
					v.wakeAt(time.Time{})
				}
			}
			a.giveBack(got)
			if wrong := a.forgotten(all); wrong != nil {
				t.Fatal(wrong)
			}
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
		}
		if looked == 0 || looked > 2000*len(all)/4 {
			t.Errorf("%d looks", looked)
		}
		former := all[0]
		a.enter(all[1:], all)
		former.touch()
		former.wakeAt(time.Now())
		if slices.Contains(a.take(time.Now()), former) {
			t.Error("one that left the file is looked at")
		}
	})
}
