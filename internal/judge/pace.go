package judge

import (
	"fmt"
	"slices"
	"time"
)

// From pace: servers return at the configured pace, unless they are needed.
var paceRule = Rule{"returns", false, takeTurns}

var paceKind = Kind{Name: "pace", Trouble: Doubt, Says: func(v View) string {
	if !v.One.Waits() || v.One.Until.IsZero() {
		return ""
	}
	return fmt.Sprintf("waits another %v for its turn: pace = %v", v.left(v.One.Until), v.Pace)
}, delays: func(c *Section, _ *Server) bool { return c.Pace.N > 0 }}

// takeTurns makes the servers in the queue wait for their turn.
func takeTurns(p *proposal) {
	if p.Pace.N == 0 || p.Obeys || !p.IsOurs() {
		return
	}
	var came []time.Time // when each server that returned ceases to count
	for s := range p.all() {
		if again := s.Turn.Add(p.Pace.Every); !s.Fallen && p.now.Before(again) {
			came = append(came, again)
		}
	}
	slices.SortFunc(came, time.Time.Compare)
	each := max(1, p.Pace.Of(p.Weighted())) // 0 if only former addresses have a weight
	p.queue = slices.DeleteFunc(p.queue, func(w waiter) bool {
		if w.needed || len(came) < each {
			came = append(came, p.now.Add(p.Pace.Every))
			return false
		}
		turn := came[len(came)-each]
		p.waits(w.Server, turn, came[0])
		came = append(came, turn.Add(p.Pace.Every))
		return true
	})
}
