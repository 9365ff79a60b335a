package parser

import (
	"fmt"
	"strings"
	"time"

	"ldirectord/lvs"
)

// This file reads the directives for when and how gently servers come and go.

// readPace reads N/TIME or N%/TIME; 0 means none.
func readPace(v *value) (none lvs.Pace, p *problem) {
	if v.text == "0" {
		return none, nil
	}
	number, every, _ := strings.Cut(v.text, "/")
	share, ok := parsePart(trim(number))
	s, p := exactTime(&value{text: trim(every)})
	if !ok || share.N == 0 || p != nil {
		return none, v.bad(
			"is not allowed; it must be a number of servers or a percentage, and a time, such as 1/10 "+
				"or 25%%/1m, the time %s; or 0 for none", timeAllowed[len("a time "):])
	}
	return lvs.Pace{Share: share, Every: s.Duration()}, nil
}

// holdDown is a value of holddown.
type holdDown struct{ first, most time.Duration }

// String is the value as the file has it: 30s,240s.
func (h holdDown) String() string { return fmt.Sprintf("%vs,%vs", h.first.Seconds(), h.most.Seconds()) }

// usualDoubling is how often a hold-down is the first one at most, unless the file says how long.
const usualDoubling = 8

// holdDownTo is to for the two times of holddown.
func holdDownTo(kept *lvs.Policy) field {
	return field{
		read: func(v *value) *problem {
			h, p := readHoldDown(v)
			if p == nil && !v.trial {
				kept.HoldDown, kept.HoldDownMax = h.first, h.most
			}
			return p
		},
		get: func() any { return holdDown{kept.HoldDown, kept.HoldDownMax} },
		set: func(got any) { h := got.(holdDown); kept.HoldDown, kept.HoldDownMax = h.first, h.most },
	}
}

func readHoldDown(v *value) (h holdDown, p *problem) {
	first, most, two := strings.Cut(v.text, ",")
	low, p := timeOrNone(&value{text: trim(first)})
	high := min(usualDoubling*low, maxTime)
	if two && p == nil {
		high, p = exactTime(&value{text: trim(most)})
	}
	if p != nil || two && (low == 0 || high < low) {
		return h, v.bad(
			"is not allowed; it must be TIME or TIME,MAX with MAX at least TIME, such as 30 or 30,5m, "+
				"each %s; or 0 for none", timeAllowed)
	}
	return holdDown{low.Duration(), high.Duration()}, nil
}

const usesNoWeight = "it uses no weight but 0"

// unmoved are the schedulers for which weights stay as they are, and why.
var unmoved = map[string]string{
	"sh": "a changed weight sends clients to other servers",
	"mh": "a changed weight sends clients to other servers",
	"dh": usesNoWeight,
	"fo": "all clients go to the server with the highest weight, so a changed weight moves them all",
}

// hardlyMoved are those for which a changed weight has another effect than elsewhere, or none.
var hardlyMoved = map[string]string{
	"rr":  usesNoWeight,
	"lc":  usesNoWeight,
	"ovf": "a weight is the number of connections after which the next server gets clients",
}

// moving returns where the section says that weights change, by directive.
func (v *Virtual) moving() map[string]Position {
	at := map[string]Position{}
	for name, used := range map[string]bool{"slowstart": v.SlowStart > 0, "agentport": v.AgentPort > 0,
		"externalweight": v.ExternalWeight} {
		if used {
			at[name] = v.At[name]
		}
	}
	for _, c := range v.AlsoChecks {
		if c.Weight > 0 {
			at["alsocheck"] = c.At
		}
	}
	return at
}

// moves refuses what changes weights where the scheduler does not allow that. The global slowstart is left out there.
func (f finder) moves(v *Virtual) {
	why, fixed := unmoved[v.Scheduler]
	other, warned := hardlyMoved[v.Scheduler]
	for name, at := range v.moving() {
		word := name
		if name == "alsocheck" {
			word = "weight= of alsocheck"
		}
		switch {
		case fixed && at.Line == 0:
			v.SlowStart = 0
			f.warn(noEffect, v.At["virtual"],
				"the global slowstart does not count here, with scheduler %s: %s; "+
					"slowstart = 0 in the section says so", v.Scheduler, why)
		case fixed:
			f.error(conflict, at,
				"%s is not allowed with scheduler %s: %s; wrr, wlc, sed and nq are for it", word,
				v.Scheduler, why)
		case warned:
			if at.Line == 0 {
				at = v.At["virtual"]
			}
			f.warn(suspicious, at,
				"%s with scheduler %s does not do what it says: %s; wrr, wlc, sed and nq are for it",
				word, v.Scheduler, other)
		}
	}
	if v.has("backup") && (v.Scheduler == "sh" || v.Scheduler == "mh") {
		f.error(conflict, v.At["backup"],
			"backup is not allowed with scheduler %s: where it sends a client depends on "+
				"when servers came, so directors would differ; other schedulers are allowed",
			v.Scheduler)
	}
}

// tells refuses what tells a weight where the section's check cannot tell it.
func (f finder) tells(v *Virtual) {
	isOff := v.CheckType == On || v.CheckType == Off
	if isOff && v.AgentPort > 0 {
		f.error(conflict, v.At["agentport"],
			"agentport is given with checktype=%s, which checks nothing; a section has one of them",
			v.CheckType)
	}
	if isOff {
		return
	}
	if v.ExternalWeight && !v.runsCommand() {
		f.error(conflict, v.At["externalweight"],
			"externalweight is for checktype=external and external-perl; this one is checktype=%s",
			v.CheckType)
	}
	switch {
	case len(v.DrainStatus) == 0:
	case !v.Negotiates():
		f.error(conflict, v.At["drainstatus"],
			"drainstatus is for negotiate checks of http and https; this one is checktype=%s", v.CheckType)
	case v.Service != "http" && v.Service != "https":
		f.error(conflict, v.At["drainstatus"], "drainstatus is for http and https; this service is %s",
			v.Service)
	case v.HTTPStatus.overlaps(v.DrainStatus):
		f.error(conflict, v.At["drainstatus"],
			"drainstatus = %v has a status that means up, see httpstatus (without it 200-299); "+
				"each status is in one of them", v.DrainStatus)
	}
}
