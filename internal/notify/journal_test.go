package notify

import (
	"fmt"
	"testing"
	"testing/synctest"

	"ldirectord/internal/testkit"
)

func TestEveryReceiverGetsEverythingInOrder(t *testing.T) {
	var got [2][]string
	to := func(i int) func(Event) {
		return func(e Event) { got[i] = append(got[i], e.Text) }
	}
	j := NewJournal(to(0), to(1))
	var all []string
	for i := range 100 {
		all = append(all, fmt.Sprint(i))
		j.Emit(Event{Text: all[i]})
	}
	testkit.OK(t, j.Close(t.Context()))
	testkit.Same(t, got, [2][]string{all, all})
}

func TestASlowReceiverStopsNobodyAndItsLossIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var slow, quick, told int
		var last Event
		j := NewJournal(
			func(e Event) { <-gate; slow++; last = e },
			func(e Event) {
				if quick++; e.Kind == Lost {
					told++
				}
			})
		j.Emit(Event{})
		synctest.Wait()
		for range maxEvents + 5 {
			j.Emit(Event{})
		}
		close(gate)
		synctest.Wait()
		testkit.OK(t, j.Close(t.Context()))
		testkit.Equal(t, told, 1, "the others are told of the loss, for the counter of events:")
		if slow != maxEvents+2 || last.Kind != Lost {
			t.Errorf("the slow one got %d, last %v; want all that fitted and the count of the rest", slow,
				last)
		}
		if quick < maxEvents {
			t.Errorf("the quick one got %d", quick)
		}
	})
}
