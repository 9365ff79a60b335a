package director

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/judge"
	"ldirectord/lvs"
)

// turns are the words that say when servers come and go. Their times are short: when all is quiet, none waits.
type turns struct {
	hold, pace, out string // holddown, pace, paceout; "": without
	onFail          string
	agent           bool // each server has one, at a port of its own
	byStatus        bool // drainstatus, without an agent
	weighs          bool // a negotiate check at the other port that only weighs
	watch           string
	observe         string // out is written where the file allows it
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
		observing[r.IntN(len(observing))]}
}

func (t turns) text() string {
	var out strings.Builder
	for i, value := range []string{t.hold, t.pace, t.out, t.onFail, t.watch} {
		if value != "" {
			fmt.Fprintf(&out, "\t%s = %s\n", []string{"holddown", "pace", "paceout", "onfail", "watch"}[i], value)
		}
	}
	if t.agent {
		fmt.Fprintf(&out, "\tagentport = %d\n", agentPort)
	}
	return out.String()
}

// onFails is the value of onfail.
func (t turns) onFails() lvs.OnFail {
	seconds, _ := strconv.Atoi(t.onFail)
	return map[string]lvs.OnFail{"keep": lvs.Keep, "cut": lvs.Cut}[t.onFail] + lvs.OnFail(seconds)*lvs.OnFail(time.Second)
}

// ends reports whether a server that fails since long is to be out of the table: whether a check has passed before is the
// daemon's word.
func (t turns) ends(now *judge.Server) bool {
	switch t.onFail {
	case "2":
		return true
	case "3600":
		return now != nil && time.Since(now.Failed) >= time.Hour
	case "cut":
		for _, check := range checksOf(now) {
			if check.Proven && check.Part == 0 && check.Health.State == health.Down {
				return now.Looks == 0 && !now.Suspect
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

// What an agent says: all of it with each answer, so that no earlier one counts. A healthy one says ready and 100%, one
// that refuses says down.
const (
	saysDrain condition = conditions + iota
	saysMaint
	saysHalf
	saysNothing
	wordless // an answer that fails, or of a check that asks for no words
)

var agentWords = []condition{healthy, healthy, healthy, saysDrain, saysMaint, saysHalf, saysNothing, refusing}

// speak gives an agent other words.
func (c *chaos) speak() {
	a, says := agents[c.rand.IntN(len(agents))], agentWords[c.rand.IntN(len(agentWords))]
	c.say("%s is %v", a, says)
	c.oracle.set(a, says)
}

// ends ends the idle connections to a server, or to all: the oracle knows nothing of it, so that no change of the table
// may follow but by a check.
func (c *chaos) ends() {
	some := []netip.AddrPort{c.server()}
	if c.rand.IntN(4) == 0 {
		some = everyone
	}
	c.say("connections end: %v", some)
	for range 1 + c.rand.IntN(3) {
		for _, a := range slices.Concat(some, atPort(81, some)) {
			c.idle.end(a)
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
	told := health.Told{Weighs: true, Percent: c.percent(), Admin: c.asks(), State: health.Up}
	switch c {
	case saysNothing:
		return checker.Result{Detail: "silent"}
	case refusing:
		told.State = health.Down
	}
	if told.Admin == health.NoAdmin {
		told.Admin = health.Ready
	}
	return checker.Result{OK: told.State == health.Up, Told: told, Detail: "says " + c.String()}
}

// words are what a server says, by its agent or the status of its answer, and what its other port can bear; and whether
// the daemon must know.
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

// lastWord is what the answers to one check say now, and whether the daemon must know. An answer that fails says
// nothing of drainstatus.
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
		says = answers[len(answers)-1].says // it applies on
	}
	recent := slices.IndexFunc(answers, func(r outcome) bool { return time.Since(r.at) < grace })
	if recent < 0 {
		recent = len(answers)
	}
	if recent < s.fall || says == saysNothing {
		return says, false
	}
	return says, !slices.ContainsFunc(answers[recent-s.fall:], func(r outcome) bool { return r.says != says })
}

// percent is how much of its weight a server can bear by its own word.
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
