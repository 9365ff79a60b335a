package director

import (
	"testing"
	"time"

	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/orders"
)

// Orders end by the wall clock, however it is set. An order that has ended stays ended if the clock is set back,
// though the sender of orders doesn't know that yet. The next daemon uses the clock that it finds.
func TestTheEndOfAnOrderFollowsTheClock(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	a, b := lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80"), lvs.At("tcp:10.1.0.1:80", "10.2.0.2:80")
	given := orders.All{a: {Kind: orders.Maint, Until: noon}, b: {Kind: orders.Drain, Until: noon.Add(time.Hour)}}
	var told []notify.Event
	journal := notify.NewJournal(func(e notify.Event) { told = append(told, e) })
	d := New(Deps{Tell: []Receiver{Words(journal.Emit)}, Orders: given})
	for _, step := range []struct {
		clock time.Time
		left  int
		next  time.Time
	}{
		{noon.Add(-time.Second), 2, noon},
		{noon.Add(-24 * time.Hour), 2, noon},
		{noon, 1, noon.Add(time.Hour)},
		{noon.Add(-time.Minute), 1, noon.Add(time.Hour)},
		{noon.Add(48 * time.Hour), 0, time.Time{}},
	} {
		d.ordered.end(step.clock)
		if len(d.ordered.hold) != step.left || !d.ordered.next.Equal(step.next) {
			t.Errorf("at %v: %v hold, the next ends at %v; want %d, %v", step.clock, d.ordered.hold, d.ordered.next, step.left, step.next)
		}
	}
	d.ordered.replace(given)
	if len(d.ordered.hold) != 0 {
		t.Errorf("ended orders are in force again: %v", d.ordered.hold)
	}
	again := orders.All{a: {Kind: orders.Maint, Until: time.Now().Add(time.Hour)}}
	d.ordered.replace(again)
	if len(d.ordered.hold) != 1 || len(d.ordered.over) != 0 {
		t.Errorf("another order for the same server: %v, over: %v", d.ordered.hold, d.ordered.over)
	}
	if err := journal.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := 0
	for _, e := range told {
		if e.Kind == notify.OrderEnded {
			ended++
		}
	}
	if ended != 2 {
		t.Errorf("%d ends of orders were reported, want 2: %v", ended, told)
	}
}

func TestAnOrderInWords(t *testing.T) {
	until := time.Date(2026, 11, 21, 18, 0, 0, 0, time.Local).UTC()
	for want, o := range map[string]orders.Order{
		"drain":     {Kind: orders.Drain},
		"weight 20": {Kind: orders.Weigh, Weight: 20},
		"maint until 2026-11-21 18:00:00 by kim: new disk": {Kind: orders.Maint, By: "kim", Why: "new disk", Until: until},
		"drain: slow": {Kind: orders.Drain, Why: "slow"},
	} {
		if got := o.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestOrdersThatAnOperatorMeans(t *testing.T) {
	all := orders.All{lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80"): {}, lvs.At("fwm:3", "10.2.0.1:80"): {}, lvs.At("fwm:3", "10.2.0.11:80"): {}, lvs.At("fwm:3", ""): {}}
	for words, want := range map[[2]string]int{
		{"", "10.2.0.1"}: 2, {"3", "10.2.0.1"}: 1, {"fwm:3", "10.2.0.11:80"}: 1, {"10.1.0.1:80", "10.2.0.1:80"}: 1, {"", "10.2.0.1:81"}: 0, {"3", ""}: 1, {"", "3"}: 1,
		{"", "fwm:3"}: 1, {"3", "3"}: 0, {"", "10.1.0.1:80"}: 0,
	} {
		var got []lvs.Backend
		for _, at := range all.Sorted() {
			if at.IsMeant(words[0], words[1]) {
				got = append(got, at)
			}
		}
		if len(got) != want {
			t.Errorf("%q: %v, want %d", words, got, want)
		}
	}
}
