package notify

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/testkit"
)

func TestAQueueCountsWhatFindsNoRoom(t *testing.T) {
	q := &queue[int]{max: 3, ready: make(chan struct{}, 1)}
	for i := range 5 {
		q.put(i)
	}
	items, lost := q.take()
	if !slices.Equal(items, []int{0, 1, 2}) || lost != 2 || q.closed {
		t.Errorf("%v, %d lost, closed %v", items, lost, q.closed)
	}
	q.put(5)
	past := testkit.Ended(t)
	for range 2 { // also a second time
		testkit.Is(t, q.end(past), context.Canceled, "end")
	}
	q.put(6)
	items, lost = q.take()
	if !slices.Equal(items, []int{5}) || lost != 0 || !q.closed {
		t.Errorf("then %v, %d lost, closed %v", items, lost, q.closed)
	}
}

func TestAQueueEndsAfterWhatWasThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		q := newQueue(10, func(items []int, lost int) { got = append(got, items...) })
		for i := range 3 {
			q.put(i)
			synctest.Wait()
			testkit.Equal(t, len(got), i+1, "items", got)
		}
		q.put(3)
		testkit.OK(t, q.end(t.Context()))
		testkit.Same(t, got, []int{0, 1, 2, 3})
	})
}

func TestAnEndIsNotWaitedForLongerThanAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(10, func([]int, int) { time.Sleep(time.Minute) })
		q.put(1)
		ctx := testkit.Within(t, time.Second)
		start := time.Now()
		if err := q.end(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		<-q.ended
	})
}
