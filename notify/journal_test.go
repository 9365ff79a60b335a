package notify

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestEveryNotifierHearsEverythingInOrder(t *testing.T) {
	var heard [2][]string
	hear := func(i int) NotifyFunc {
		return func(_ context.Context, e Event) { heard[i] = append(heard[i], e.Text) }
	}
	j := NewJournal(hear(0), hear(1))
	for i := range 100 {
		j.Emit(Event{Text: fmt.Sprint(i)})
	}
	if err := j.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range heard {
		if len(heard[i]) != 100 {
			t.Fatalf("notifier %d heard %d of 100", i, len(heard[i]))
		}
		for k, text := range heard[i] {
			if text != fmt.Sprint(k) {
				t.Fatalf("notifier %d heard %q as number %d", i, text, k)
			}
		}
	}
}

func TestASlowNotifierStopsNobodyAndLosesNothingInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		var slow, quick int
		var last Event
		j := NewJournal(
			NotifyFunc(func(_ context.Context, e Event) { <-hold; slow++; last = e }),
			NotifyFunc(func(context.Context, Event) { quick++ }))
		j.Emit(Event{})
		synctest.Wait()
		for range maxEvents + 5 {
			j.Emit(Event{})
		}
		close(hold)
		if err := j.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if slow != maxEvents+2 || last.Kind != Lost {
			t.Errorf("the slow one heard %d, last %v; want all that fitted and the count of the rest", slow, last)
		}
		if quick < maxEvents {
			t.Errorf("the quick one heard %d", quick)
		}
	})
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := NewJournal(NotifyFunc(func(ctx context.Context, _ Event) { <-ctx.Done() }))
		j.Emit(Event{})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := j.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
	})
}
