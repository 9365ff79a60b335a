package core

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
)

var (
	otherPort = uint16(81)
	agentPort = uint16(82)
	agents    = atPort(agentPort, everyone)
)

// onFails is the value of onfail.
func (t section) onFails() lvs.OnFail {
	seconds, _ := strconv.Atoi(t.OnFail)
	return map[string]lvs.OnFail{"keep": lvs.Keep, "cut": lvs.Cut}[t.OnFail] +
		lvs.OnFail(seconds)*lvs.OnFail(time.Second)
}

// ends reports whether a server that has failed for long is to be out of the table. Whether a check has passed before
// is taken from the daemon.
func (t section) ends(one *judge.Server, now time.Time) bool {
	switch t.OnFail {
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
	c.oracle.conditions[a] = says
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
	sure, at := true, spot{keyFor(netip.AddrPortFrom(s.At, 80)), e.addr}
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
	if recent < s.FailureCount || says == saysNothing {
		return says, false
	}
	against := func(r outcome) bool { return r.says != says }
	return says, !slices.ContainsFunc(answers[recent-s.FailureCount:], against)
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
