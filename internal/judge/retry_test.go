package judge

import (
	"fmt"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// The wait after a failure doubles up to the checkinterval, or to a second.
func TestARefusedChangeIsTriedAgain(t *testing.T) {
	for interval, want := range map[time.Duration]string{
		time.Second / 10:    " 100ms 200ms 400ms 800ms 1s 1s",
		3 * time.Second / 2: " 100ms 200ms 400ms 800ms 1.5s 1.5s",
	} {
		var r Retry
		if r.Waits(noon) || r.Succeeded() {
			t.Error("it waits, or failed, before the first change")
		}
		waits := ""
		for range 6 {
			r.Failed("full", interval, noon)
			waits += " " + r.Until.Sub(noon).String()
		}
		testkit.Equal(t, waits, want, "checkinterval", interval)
		if !r.Waits(r.Until.Add(-1)) || r.Waits(r.Until) {
			t.Error("it does not wait until then")
		}
		reloaded := r.Renewed()
		if reloaded.Refusal != "" || reloaded.Waits(noon) || !reloaded.Succeeded() {
			t.Errorf("after a reload: %+v", reloaded)
		}
		if r.AtOnce(); r.Waits(noon) || r.Refusal != "full" {
			t.Errorf("tried at once: %+v", r)
		}
		if !r.Succeeded() || r != (Retry{}) {
			t.Errorf("after a success: %+v", r)
		}
	}
}

// After the first request without an answer the limits and pauses are short. They grow to those of the first.
func TestATableThatDoesNotAnswerGetsAPause(t *testing.T) {
	var s Silence
	now, got := noon, ""
	for range 7 {
		limit := s.Limit()
		s.Unanswered(now)
		got += fmt.Sprintf("%v %v, ", limit, s.Until.Sub(now))
		if now = s.Until; !s.Holds(now.Add(-1)) || s.Holds(now) {
			t.Errorf("it does not hold until %v: %+v", now, s)
		}
	}
	testkit.Equal(t, got, "15s 5s, 1s 1s, 2s 2s, 4s 4s, 8s 5s, 15s 5s, 15s 5s, ", "limits and pauses")
	s = Silence{}
	s.Unanswered(now)
	if s.AtOnce(); s.Holds(now) || s.Limit() != time.Second {
		t.Errorf("without a pause: %+v", s)
	}
}
