package judge

import (
	"testing"
	"time"
)

// The wait after a failure doubles up to the checkinterval, or to a second.
func TestARefusedChangeIsTriedAgain(t *testing.T) {
	const ms = time.Millisecond
	for _, row := range []struct {
		interval time.Duration
		waits    []time.Duration
	}{
		{100 * ms, []time.Duration{100, 200, 400, 800, 1000, 1000}},
		{1500 * ms, []time.Duration{100, 200, 400, 800, 1500, 1500}},
	} {
		var r Retry
		now := time.Now()
		if r.Waits(false, now) || r.Succeeded() {
			t.Error("it waits, or failed, before the first change")
		}
		for i, wait := range row.waits {
			wait *= ms
			r.Failed("full", row.interval, now)
			end := now.Add(wait)
			if r.Until != end || !r.Waits(false, end.Add(-1)) || r.Waits(false, end) {
				t.Errorf("checkinterval %v, failure %d: %+v, want a wait of %v", row.interval, i+1, r,
					wait)
			}
		}
		reloaded := r.Renewed()
		if reloaded.Refusal != "" || reloaded.Waits(false, now) || !reloaded.Succeeded() {
			t.Errorf("after a reload: %+v", reloaded)
		}
		if r.AtOnce(); r.Waits(false, now) || r.Refusal != "full" {
			t.Errorf("tried at once: %+v", r)
		}
		if !r.Succeeded() || r != (Retry{}) {
			t.Errorf("after a success: %+v", r)
		}
	}
}

// A server that turned waits while the table refuses the virtual service, but not while it refuses only the settings.
func TestAServerThatTurnedDoesNotWaitForSettings(t *testing.T) {
	now := time.Now()
	for _, row := range []struct{ settingsOnly, turned, waits bool }{
		{false, false, true}, {false, true, true}, {true, false, true}, {true, true, false},
	} {
		var r Retry
		r.Failed("no", time.Second, now)
		if r.SettingsOnly = row.settingsOnly; r.Waits(row.turned, now) != row.waits {
			t.Errorf("%+v: it waits: %t", row, !row.waits)
		}
	}
}

// After the first request without an answer the limits and pauses are short. They grow to those of the first.
func TestATableThatDoesNotAnswerGetsAPause(t *testing.T) {
	var s Silence
	now := time.Now()
	for i, row := range []struct{ limit, pause time.Duration }{
		{15, 5}, {1, 1}, {2, 2}, {4, 4}, {8, 5}, {15, 5}, {15, 5},
	} {
		limit, pause := row.limit*time.Second, row.pause*time.Second
		if s.Holds(now) || s.Limit() != limit {
			t.Errorf("request %d: %+v, want a limit of %v", i, s, limit)
		}
		s.Unanswered(now)
		if !s.Holds(now.Add(pause-1)) || s.Holds(now.Add(pause)) || s.Until != now.Add(pause) {
			t.Errorf("request %d: %+v, want a pause of %v", i, s, pause)
		}
		now = now.Add(pause)
	}
	s = Silence{}
	s.Unanswered(now)
	if s.AtOnce(); s.Holds(now) || s.Limit() != time.Second {
		t.Errorf("without a pause: %+v", s)
	}
}
