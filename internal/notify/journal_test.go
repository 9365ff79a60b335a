package notify

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/testkit"
)

func TestEveryReceiverGetsEverythingInOrder(t *testing.T) {
	var got [2][]string
	to := func(i int) func(Event) {
		return func(e Event) { got[i] = append(got[i], e.Text) }
	}
	j := NewJournal(to(0), to(1))
	for i := range 100 {
		j.Emit(Event{Text: fmt.Sprint(i)})
	}
	testkit.OK(t, j.Close(t.Context()))
	for i := range got {
		if len(got[i]) != 100 {
			t.Fatalf("receiver %d got %d of 100", i, len(got[i]))
		}
		for k, text := range got[i] {
			if text != fmt.Sprint(k) {
				t.Fatalf("receiver %d got %q as number %d", i, text, k)
			}
		}
	}
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

func TestCloseDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		defer close(gate)
		j := NewJournal(func(Event) { <-gate })
		j.Emit(Event{})
		ctx := testkit.Within(t, 2*time.Second)
		testkit.Is(t, j.Close(ctx), context.DeadlineExceeded, "Close")
	})
}
