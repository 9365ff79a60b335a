package status

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// night is the history of two servers until 03:10. The first one failed softly and went down, the table refused its
// removal at first, and an order was given. The second one had results that were ignored, its weight was changed by
// hand, and keepserving held it.
func night() *view.Snapshot {
	day := testkit.Time("2026-11-21T00:00:00Z")
	at := func(clock string) history.Moment {
		d, err := time.ParseDuration(clock)
		if err != nil {
			panic(err)
		}
		return history.At(day.Add(d))
	}
	passed := func(took uint32) *checker.Result {
		return &checker.Result{OK: true, Took: time.Duration(took) * time.Microsecond,
			Stages: wire.Stages{wire.MarkConnect: 310, wire.MarkFirstByte: took - 50,
				wire.MarkMatch: took}}
	}
	failed := &checker.Result{
		Cause: checker.Answer, Stage: wire.AtMatch, Detail: `body does not match /ready/: got "starting up"`,
		Took:   5200 * time.Microsecond,
		Stages: wire.Stages{wire.MarkConnect: 300, wire.MarkFirstByte: 5100, wire.MarkMatch: 5200},
	}
	refused := &checker.Result{Cause: checker.Refused, Stage: wire.AtConnect, Detail: "connect: refused",
		Took: 400 * time.Microsecond}
	none, one := history.Outcome{}, history.Outcome{Count: 1, Needed: 3}
	var first, second history.History
	first.Result(at("-2h"), 0, history.Passed, passed(2000), none)
	first.Do(at("-2h"), history.Add, 3, "")
	first.Result(at("2h58m10s"), 0, history.Passed, passed(9000), none)
	first.Result(at("2h58m12s"), 0, history.Failed, refused, one)
	first.Result(at("2h58m14s"), 0, history.Passed, passed(3000), none)
	first.Result(at("3h2m5s"), 0, history.Passed, passed(3000), none)
	for i, clock := range []string{"3h2m7s", "3h2m9s", "3h2m11s"} {
		first.Result(at(clock), 0, history.Failed, failed, history.Outcome{Count: uint16(i + 1), Needed: 3})
	}
	first.Do(at("3h2m11s"), history.Down, 0, history.Outcome{Count: 3, Needed: 3}.Words(false, 0))
	first.Do(at("3h2m11s"), history.Edit, 0, "no answer")
	first.Do(at("3h2m15s"), history.Edit, 0, "no answer")
	first.Do(at("3h2m23s"), history.Edit, 0, "")
	first.Order(at("3h9m"), "order: drain by kim: new disk")
	first.Result(at("3h9m59s"), 0, history.Failed, failed, none)
	order := orders.Order{Kind: orders.Drain, By: "kim", Why: "new disk"}

	second.Result(at("3h0m0s"), 2, history.Stalled, refused, none)
	second.Result(at("3h0m1s"), 0, history.Shortage,
		&checker.Result{Cause: checker.Shortage, Detail: "socket: too many open files"}, none)
	second.Retire()
	second.Result(at("3h0m2s"), 2, history.Unjudged,
		&checker.Result{Cause: checker.Unjudged, Detail: "matching took too long with /(a+)+$/"}, none)
	second.Result(at("3h0m3s"), 0, history.Failed, &checker.Result{Detail: "status 500 \x1b[31m<h1>"},
		history.Outcome{Count: 2, Needed: 3})
	second.Do(at("3h1m"), history.Held, 0, "held: keepserving keeps it in service although its checks fail")
	second.Do(at("3h2m"), history.LetGo, 0, "")
	second.Do(at("3h3m"), history.Remove, 0, "")
	second.Do(at("3h4m"), history.Add, 1, "no answer")
	second.Do(at("3h5m"), history.Changed, 0,
		"changed externally: has weight 5; kept until its next change of state or a reload")
	second.Do(at("3h6m"), history.Up, 0, "4 of 4 successes in the last 5")
	all := &view.Snapshot{Time: at("3h10m").Time(), Virtuals: []view.Virtual{
		{ID: "tcp:192.0.2.10:80", Servers: []view.Server{{
			Real: "192.0.2.21:80", Addr: netip.MustParseAddrPort("192.0.2.21:80"), State: "down",
			Since: at("3h2m11s").Time(), Weight: 3, InTable: true,
			Drained: true, Order: &order, Note: "order: " + order.String(), Reason: failed.Detail,
			Conditions: []view.Condition{
				{Kind: "down", Trouble: Broken, Text: failed.Detail},
				{Kind: "drained", Trouble: Noted,
					Text: "drained too: it gets no new connections when it is up again"},
				{Kind: "order", Trouble: Noted, Text: "order: " + order.String()},
			},
			ServerResult: view.ServerResult{Checked: at("3h9m59s").Time(), Last: *failed},
			ServerPast:   view.ServerPast{Past: &first},
		}}},
		{
			ID: "tcp:192.0.2.10:443", Error: "no answer", Guard: view.Guard{Keeps: 1, Held: 1},
			Conditions: []view.Condition{
				{Kind: "refused", Trouble: Broken, Text: "the table refuses it: no answer"},
				{Kind: "held", Trouble: Noted,
					Text: "keepserving holds 1 in service although their checks fail: the " +
						"minimum is 1"}},
			Rule: health.Rule{Need: 3, Of: 5},
			Servers: []view.Server{
				{Real: "192.0.2.21:443", State: "up", Since: at("3h6m").Time(), InTable: true,
					Effective: 5, ByHand: true, Conditions: []view.Condition{view.ByHand},
					ServerPast: view.ServerPast{Past: &second,
						CheckNames: map[uint8]string{0: "https 443", 2: "ping"}}},
				{Real: "web9:443", State: "unknown", Since: at("3h").Time(), Weight: 1,
					Reason: "no address: web9: no answer"},
			},
			Leaving: []view.Departure{{Real: "192.0.2.29:443", State: "drained",
				Until: at("3h11m").Time()}},
		},
	}}
	for _, s := range all.Each() {
		s.Learn()
	}
	return all
}

// explained is what why shows to people.
func explained(t *testing.T, w *Why) string {
	t.Helper()
	var text strings.Builder
	testkit.OK(t, w.WriteText(&text, false))
	return text.String()
}

// why shows what is wrong, since when, why, and what was done about it, for people and for programs.
func TestWhy(t *testing.T) {
	inUTC(t)
	w := NewWhy(night(), testkit.Time("2026-11-20T22:00:00Z"))
	text := explained(t, w)
	var program strings.Builder
	e := json.NewEncoder(&program)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	testkit.OK(t, e.Encode(w))
	testkit.Golden(t, testdata+"why", text)
	testkit.Golden(t, testdata+"why.json", program.String())
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > width {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

func TestWhyShowsTheLastEntries(t *testing.T) {
	w := NewWhy(night(), time.Now())
	w.Last(2)
	h := w.Servers[0].History
	if len(h) != 2 || h[0].What != "edit" || h[1].What != "order" || w.Servers[1].History == nil {
		t.Errorf("%+v", h)
	}
}

// The text has the time of the next check, if that is known.
func TestWhyTellsWhenTheNextCheckIsDue(t *testing.T) {
	now := testkit.Time("2026-11-22T03:00:00Z")
	c := Case{Virtual: "tcp:192.0.2.10:80", Server: Server{Real: "192.0.2.21:80", State: "up", Since: now}}
	for next, want := range map[time.Time]string{{}: "", now.Add(4 * time.Second): "in 4s",
		now.Add(time.Millisecond): "now", now.Add(-time.Minute): "now"} {
		c.Due = next
		text := explained(t, &Why{Time: now, Started: now, Servers: []Case{c}})
		_, due, _ := strings.Cut(text, "\n  its next check is due ")
		got, _, _ := strings.Cut(due, "\n")
		testkit.Equal(t, got, want, next, text)
	}
}
