package core

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

// turns are the directives that decide when servers come and go. Their times are so short that after a quiet time no
// server waits.
type turns struct {
	hold, pace, out string // holddown, pace, paceout; empty if the file has none
	onFail          string
	agent           bool // each server has an agent, at a port of its own
	byStatus        bool // drainstatus, without an agent
	weighs          bool // a negotiate check at the other port that only weighs
	watch           string
	observe         string // written only if leavesOut allows out
	comeback        bool   // by order
	limited         bool   // each server is full with one connection
}

var (
	holds     = []string{"", "", "2", "2,4", "1,8"}
	paces     = []string{"", "", "1/1", "2/2", "50%/3"}
	removals  = []string{"", "", "4/2", "50%/2"}
	otherPort = uint16(81)
	watching  = []string{"", "", "no", "yes", "2"}
	observing = []string{"", "yes", "out", "out"}
	onFails   = []string{"", "", "", "keep", "cut", "2", "3600"}
	agentPort = uint16(82)
	agents    = atPort(agentPort, everyone)
)

func drawTurns(r *rand.Rand) turns {
	return turns{holds[r.IntN(len(holds))], paces[r.IntN(len(paces))], removals[r.IntN(len(removals))],
		onFails[r.IntN(len(onFails))],
		r.IntN(3) == 0, r.IntN(3) == 0, r.IntN(3) == 0, watching[r.IntN(len(watching))],
		observing[r.IntN(len(observing))], r.IntN(6) == 0, r.IntN(3) == 0}
}

// onFails is the value of onfail.
func (t turns) onFails() lvs.OnFail {
	seconds, _ := strconv.Atoi(t.onFail)
	return map[string]lvs.OnFail{"keep": lvs.Keep, "cut": lvs.Cut}[t.onFail] +
		lvs.OnFail(seconds)*lvs.OnFail(time.Second)
}

// ends reports whether a server that has failed for long is to be out of the table. Whether a check has passed before
// is taken from the daemon.
func (t turns) ends(one *judge.Server, now time.Time) bool {
	switch t.onFail {
	case "2":
		return true
	case "3600":
		return one != nil && now.Sub(one.Failed) >= time.Hour
	case "cut":
		for _, check := range checksOf(one) {
			if check.Proven && check.Part == 0 && check.Health.State == health.Down {
				return one.Looks == 0 && !one.Suspect
			}
		}
	}
	return false
}

func checksOf(s *judge.Server) (all []*judge.Check) {
	if s != nil {
		for _, check := range s.Checks() {
			all = append(all, check)
		}
	}
	return all
}

// These are the answers of an agent. Each has all words, so that no earlier word still counts. A healthy agent says
// ready and 100%, a refusing one down.
const (
	saysDrain condition = conditions + iota
	saysMaint
	saysHalf
	saysNothing
	wordless // a failed answer, or one of a check that reads no words
)

var agentWords = []condition{healthy, healthy, healthy, saysDrain, saysMaint, saysHalf, saysNothing, refusing}

// speak changes the answer of an agent.
func (c *chaos) speak() {
	a, says := agents[c.rand.IntN(len(agents))], agentWords[c.rand.IntN(len(agentWords))]
	c.say("%s is %v", a, says)
	c.oracle.set(a, says)
}

// ends closes the idle connections to a server, or to all. The oracle does not know, so only a check may change the
// table afterwards.
func (c *chaos) ends() {
	some := []netip.AddrPort{c.server()}
	if c.rand.IntN(4) == 0 {
		some = everyone
	}
	c.say("connections end: %v", some)
	for range 1 + c.rand.IntN(3) {
		for _, a := range slices.Concat(some, atPort(81, some)) {
			c.daemon.idle.end(a)
		}
		c.pause()
	}
}

func (c condition) asks() health.Admin {
	switch c {
	case saysDrain:
		return health.Drain
	case saysMaint:
		return health.Maint
	}
	return health.NoAdmin
}

// said is the answer of an agent.
func (c condition) said() checker.Result {
	reported := health.Report{Weighs: true, Percent: c.percent(), Admin: c.asks(), State: health.Up}
	switch c {
	case saysNothing:
		return checker.Result{Detail: "silent"}
	case refusing:
		reported.State = health.Down
	}
	if reported.Admin == health.NoAdmin {
		reported.Admin = health.Ready
	}
	return checker.Result{OK: reported.State == health.Up, Report: reported, Detail: "says " + c.String()}
}

// words are what an agent says or the status of an answer tells, and how much weight the other port can bear. Sure
// reports whether the daemon must know them.
func (o *oracle) words(s section, e entry) (says health.Words, sure bool) {
	sure, at := true, spot{keyFor(netip.AddrPortFrom(s.at, 80)), e.addr}
	for _, p := range s.probes(e) {
		switch {
		case p.weighs():
			part := func(ago time.Duration) verdict { return o.partOf(p, s, ago) }
			now := part(0)
			if now == down {
				says.Less = 100 - says.Percent()/2
			}
			sure = sure && now != uncertain && !o.changed[at] && !o.wavers([]probe{p}, part)
		case p.check == "agent", p.check == "drains":
			said, known := o.lastWord(p, s)
			says.Admin, says.Less, sure = said.asks(), 100-said.percent(), sure && known
		}
	}
	return says, sure
}

// lastWord is what the last answers to a check say, and whether the daemon must know it. A failed answer says nothing
// about drainstatus.
func (o *oracle) lastWord(p probe, s section) (says condition, sure bool) {
	says = o.conditions[p.addr]
	if o.results[p] == nil {
		return says, false
	}
	var answers []outcome
	for _, r := range *o.results[p] {
		if r.says != wordless {
			answers = append(answers, r)
		}
	}
	if p.check == "drains" && !o.passes(p) && len(answers) > 0 {
		says = answers[len(answers)-1].says // the last word still applies
	}
	recent := slices.IndexFunc(answers, func(r outcome) bool { return o.since(r.at) < o.grace() })
	if recent < 0 {
		recent = len(answers)
	}
	if recent < s.fall || says == saysNothing {
		return says, false
	}
	return says, !slices.ContainsFunc(answers[recent-s.fall:], func(r outcome) bool { return r.says != says })
}

// percent is how much of its weight a server's answer says it can bear.
func (c condition) percent() uint8 {
	if c == saysHalf {
		return 50
	}
	return 100
}

func atPort(port uint16, list []netip.AddrPort) (others []netip.AddrPort) {
	for _, a := range list {
		others = append(others, netip.AddrPortFrom(a.Addr(), port))
	}
	return others
}
