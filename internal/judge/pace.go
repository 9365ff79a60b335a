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

// takeTurns has servers in the queue wait for their turn.
func takeTurns(h *hearing) {
	if h.Pace.N == 0 || h.Obeys || !h.IsOurs() {
		return
	}
	var came []time.Time // when each of those that returned no longer counts
	for s := range h.all() {
		if again := s.Turn.Add(h.Pace.Every); !s.Fallen && h.now.Before(again) {
			came = append(came, again)
		}
	}
	slices.SortFunc(came, time.Time.Compare)
	each := max(1, h.Pace.Of(h.Weighted())) // 0 where only former addresses have one
	h.queue = slices.DeleteFunc(h.queue, func(w waiter) bool {
		if w.needed || len(came) < each {
			came = append(came, h.now.Add(h.Pace.Every))
			return false
		}
		turn := came[len(came)-each]
		h.waits(w.Server, turn, came[0])
		came = append(came, turn.Add(h.Pace.Every))
		return true
	})
}
