package judge

import (
	"cmp"
	"time"
)

const (
	firstRetry   = time.Second / 10 // the wait after a failed change; doubles up to the checkinterval
	minLastRetry = time.Second      // or to this, if it is longer

	// TableTimeout is the longest wait for one answer from the table.
	TableTimeout = 15 * time.Second
	firstTimeout = time.Second // the limit after a request without an answer; doubles up to TableTimeout
	// MaxPause is the longest pause after a request without an answer.
	MaxPause = 5 * time.Second
)

// Retry tells when changes to one virtual service are tried again after a failure.
type Retry struct {
	Refusal      string        // why the last change failed; "" after a success
	Quiet        bool          // the failure was not reported, because the whole table is missing
	SettingsOnly bool          // the table refuses only the settings
	wait         time.Duration // after the last failure; 0 after a success
	Until        time.Time     // when the next change is tried; zero: at once
}

// Failed notes a failure and its reason.
func (r *Retry) Failed(why string, interval time.Duration, now time.Time) {
	r.Refusal, r.wait = why, min(max(2*r.wait, firstRetry), max(interval, minLastRetry))
	r.Until = now.Add(r.wait)
}

// Succeeded notes a success, and reports whether it is the first one after a failure that was reported.
func (r *Retry) Succeeded() (again bool) {
	again = r.wait > 0 && !r.Quiet
	*r = Retry{}
	return again
}

// Waits reports whether changes to the virtual service have to wait.
func (r *Retry) Waits(now time.Time) bool { return r.Until.After(now) }

// AtOnce lets the next change be tried without a wait.
func (r *Retry) AtOnce() { r.Until = time.Time{} }

// Renewed returns the Retry for a new configuration. A change is then tried at once, and a failure is reported again.
func (r Retry) Renewed() Retry { return Retry{wait: r.wait, Quiet: r.Quiet} }

// Silence records that the table does not answer. After a request without an answer, none is sent for the time that
// this request waited, but at most for MaxPause. Meanwhile other work can be done. A refusal counts as an answer.
type Silence struct {
	Until time.Time     // the time of the next request; zero: at once
	limit time.Duration // of the next request; 0: TableTimeout
}

// Limit returns the time limit of the next request.
func (s *Silence) Limit() time.Duration { return cmp.Or(s.limit, TableTimeout) }

// Unanswered notes that a request got no answer within its limit.
func (s *Silence) Unanswered(now time.Time) {
	next := firstTimeout
	if s.limit > 0 {
		next = min(2*s.limit, TableTimeout)
	}
	*s = Silence{now.Add(min(s.Limit(), MaxPause)), next}
}

// Holds reports whether requests to the table have to wait.
func (s *Silence) Holds(now time.Time) bool { return now.Before(s.Until) }

// AtOnce lets the next request be sent without a pause.
func (s *Silence) AtOnce() { s.Until = time.Time{} }
