package parser

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/lvs"
)

// This file reads the directives that say when and how gently servers are added and removed.

// parsePace reads N/TIME or N%/TIME. The text 0 means no pace.
func parsePace(text string) (none lvs.Pace, ok bool) {
	if text == "0" {
		return none, true
	}
	number, every, _ := strings.Cut(text, "/")
	share, ok := parsePart(trim(number))
	s, inRange := timeWithin(trim(every), minTime, maxTime)
	return lvs.Pace{Share: share, Every: s.Duration()}, ok && share.N > 0 && inRange
}

// usualDoubling is the default of the longest hold-down, as a multiple of the first.
const usualDoubling = 8

func parseHoldDown(text string) (lvs.HoldDown, bool) {
	first, most, two := strings.Cut(text, ",")
	low, ok := timeWithin(trim(first), minTime, maxTime)
	high, inRange := min(usualDoubling*low, maxTime), true
	if two {
		high, inRange = timeWithin(trim(most), low, maxTime)
	}
	return lvs.HoldDown{First: low.Duration(), Most: high.Duration()}, text == "0" || ok && inRange
}

// parseOnFail reads keep, cut or a time in whole seconds. With the value 0, quiescent decides.
func parseOnFail(text string) (lvs.OnFail, bool) {
	words := map[string]lvs.OnFail{"0": lvs.ByQuiescent, lvs.Keep.String(): lvs.Keep, lvs.Cut.String(): lvs.Cut}
	if o, ok := words[text]; ok {
		return o, true
	}
	s, ok := timeWithin(text, 1, maxTime)
	return lvs.OnFail(s.Duration()), ok && s == Seconds(int(s))
}

const usesNoWeight = "it ignores weights other than 0"

// unmoved contains the schedulers that do not suit changing weights, each with the reason.
var unmoved = map[string]string{
	"sh":  "a changed weight sends clients to other servers",
	"mh":  "a changed weight sends clients to other servers",
	"dh":  usesNoWeight,
	"fo":  "all clients go to the server with the highest weight",
	"rr":  usesNoWeight,
	"lc":  usesNoWeight,
	"ovf": "a weight is the number of connections after which the next server gets clients",
}

// moves refuses directives that change weights, or warns of them, if the scheduler does not suit changing weights. In
// such a section it switches a global slowstart off.
func (a adviser) moves() {
	const text = "%s does not suit scheduler %s: %s; wrr, wlc, sed and nq suit weights that change"
	type directive struct {
		what string
		at   Position
	}
	var moving []directive
	add := func(moves bool, what string, at Position) {
		if moves {
			moving = append(moving, directive{what, at})
		}
	}
	add(a.SlowStart > 0, "slowstart", a.At["slowstart"])
	add(a.AgentPort > 0, "agentport", a.At["agentport"])
	add(a.ExternalWeight, "externalweight", a.At["externalweight"])
	for _, c := range a.AlsoChecks {
		add(c.Weight > 0, "alsocheck with weight=", c.At)
	}
	if len(moving) == 0 {
		return
	}
	why, odd := unmoved[a.Scheduler]
	if !odd {
		a.steps(a.SlowStart > 0 && len(moving) == 1)
		return
	}
	for _, d := range moving {
		switch {
		case d.at.Line == 0:
			a.SlowStart = 0
			a.warn(noEffect, a.At["virtual"], text+
				"; the global value does not apply to this section, as if it had slowstart = 0",
				d.what, a.Scheduler, why)
		case strings.Contains("sh mh dh fo", a.Scheduler):
			a.error(conflict, d.at, text, d.what, a.Scheduler, why)
		default:
			a.warn(suspicious, d.at, text, d.what, a.Scheduler, why)
		}
	}
}

// steps warns of a weight that is too small to change in steps. It ignores backups if only slowstart changes weights.
func (a adviser) steps(bySlowStart bool) {
	moved := slices.Clone(a.Reals)
	if bySlowStart {
		moved = slices.DeleteFunc(moved, func(r Real) bool { return r.Backup })
	}
	i := slices.IndexFunc(moved, func(r Real) bool { return r.Weight == 1 })
	if i >= 0 && len(moved) > 1 {
		a.warn(suspicious, moved[i].At,
			"a weight of 1 can't change in steps, because every fraction of it is rounded up to 1; write "+
				"100, which allows a step for each percent, and multiply the other weights of the "+
				"section by 100 as well")
	}
}

// maxPacedOut is the longest time for which paceout may keep the last failed server in service without a warning.
const maxPacedOut = time.Minute

// pacesOut adds a note about the time for which paceout would keep the last server in service if all servers failed
// together. If that time is long, the note is a warning instead.
func (a adviser) pacesOut() {
	_, servers := a.own()
	removed, each := servers-a.KeepServing.Of(servers), a.PaceOut.Of(servers)
	unpaced := func(check *Virtual) bool { return check.CheckType == Connect && a.Protocol != lvs.UDP }
	switch {
	case a.PaceOut.N == 0, removed <= each, a.checksNothing():
		return
	case len(slices.DeleteFunc(a.Checks(), unpaced)) == 0:
		a.when(a.has("paceout"), "paceout", noEffect, "paceout has no effect with checktype=connect: a server "+
			"that accepts no connection is taken out at once")
		return
	}
	wait := (Seconds((removed-1)/each) * Seconds(a.PaceOut.Every.Seconds())).Duration()
	d := Diagnostic{Severity: Note, Kind: slowRemoval, Pos: a.place("paceout")}
	if wait > maxPacedOut {
		d.Severity = Warning
	}
	d.Text = fmt.Sprintf("with paceout = %v, the last of %d servers that fail together stays in service for %v; "+
		"a server that accepts no connection is taken out at once", a.PaceOut, removed, wait)
	a.add(d)
}

// ends warns of an onfail with which a single failed check ends connections. It also adds notes about the effects of
// onfail on clients.
func (r *resolver) ends(c *Config) {
	reported := map[Diagnostic]bool{}
	for _, v := range c.Virtuals {
		tell := func(applies bool, s Severity, text string) {
			if !applies || v.checksNothing() {
				return
			}
			one := Diagnostic{Severity: s, Kind: onFail,
				Pos:  cmp.Or(v.At["onfail"], r.globals.At["onfail"]),
				Text: fmt.Sprintf("with onfail = %v, %s", v.OnFail, text)}
			if !reported[one] {
				reported[one] = true
				r.on(int(one.Pos.Line)).add(one)
			}
		}
		tell(v.OnFail == lvs.Cut && v.FailureCount == 1 && v.Window.Of == 0, Warning,
			"one failed check ends the connections of a server; set failurecount to 2 or more, or window")
		tell(v.OnFail.Ends(), Note,
			"the connections of a failed server break when it is removed: the kernel drops their "+
				"packets; with net.ipv4.vs.expire_nodest_conn = 1, it forgets them, and clients get a "+
				"reset if the virtual address is on the director; doctor shows the setting")
		tell(v.OnFail.Stays() && v.Persistent > 0, Note,
			"persistence keeps sending known clients to a server with weight 0, unless "+
				"net.ipv4.vs.expire_quiescent_template = 1")
	}
}
