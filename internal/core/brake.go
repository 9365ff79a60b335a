package core

import (
	"fmt"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/history"
	"ldirectord/internal/judge"
	"ldirectord/internal/notify"
)

// askedAgain is the delay before another check of a server whose result is needed soon, for example because it may show
// whether the path through a virtual address works.
const askedAgain = 100 * time.Millisecond

// passage returns the last result in the form that judge needs.
func (c *check) passage() judge.Passage {
	r := &c.last
	return judge.Passage{Began: c.began, OK: r.OK, Passed: r.OK && r.Way == checker.WayThrough, Own: r.OwnAnswers}
}

// user returns the check that a spot identifies.
func (v *virtual) user(at judge.Spot) user {
	s := v.all[at.Server]
	return user{v, s, s.judgement(at.Check)}
}

// accuse reports whether a result must not be judged, at least for now.
func (e *examiner) accuse(x user) bool {
	kept, idle := x.v.Accuse(judge.Spot{Server: x.s.At, Check: int(x.j.k)}, e.tell.now())
	if idle {
		e.tell.found(history.Withheld, &x.j.check.last, x)
	}
	if len(x.v.Paths) > 0 && x.v.Paths[x.j.Line].Due {
		e.accused = append(e.accused, x.v)
	}
	return kept
}

// settlePaths evaluates the results of a wake-up together, for each virtual service that needs it, in the order of the
// file.
func (e *examiner) settlePaths() {
	slices.SortFunc(e.accused, inTheFile)
	for _, v := range slices.Compact(e.accused) {
		for line := range v.Paths {
			e.settlePath(v, line)
		}
	}
	e.accused = nil
}

// settlePath judges failures caused by the servers, and withholds failures caused by this machine. If the results don't
// show the cause, it has other servers checked.
func (e *examiner) settlePath(v *virtual, line int) {
	cfg := v.Config
	patience := cfg.CheckInterval.Duration() + 2*max(cfg.CheckTimeout, cfg.NegotiateTimeout).Duration()
	done := v.Settle(line, patience, e.tell.now())
	if done.Over && v.IsOurs() {
		why := fmt.Sprintf("no server in service fails only through %s any more", cfg.CheckVIP)
		if newest := v.user(v.Paths[line].Newest); newest.j.Passed {
			why = "this server passed: " + newest.s.entry.Name()
		}
		e.tell.guard(v, notify.GuardOver, "Brake is over", ": checks count again, because "+why)
	}
	e.judgeAccused(v, done.Judged)
	for _, at := range done.Asked {
		e.repeat(v.user(at).j.check, askedAgain)
	}
	for _, at := range done.Holds {
		x := v.user(at)
		e.tell.found(history.Withheld, &x.j.check.last, x)
	}
	if len(done.Holds) > 0 && v.IsOurs() {
		why := v.user(done.Holds[0]).j.check.last.Detail
		e.tell.report(v, nil, notify.GuardHolds, "Brake holds", fmt.Sprintf(": every server that was up "+
			"fails, and only through %s. This points to a fault of this director, so the servers keep "+
			"their states: %s", v.Config.CheckVIP, why), why)
	}
}

// judgeAccused judges the last failures of accused servers.
func (e *examiner) judgeAccused(v *virtual, spots []judge.Spot) {
	for _, at := range spots {
		x := v.user(at)
		e.judge(x, &x.j.check.last)
		e.hurry(x.j.check)
	}
}

var pathKind = kind{name: "brake", trouble: judge.Noted, says: func(a *subject) string {
	if a.s.Fallback {
		return ""
	}
	for _, c := range a.s.Checks() {
		if a.v.IsWithheld(c) {
			return "not believed: every server that was up fails only through " +
				a.v.Config.CheckVIP.String()
		}
	}
	return ""
}}
