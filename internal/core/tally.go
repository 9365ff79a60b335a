package core

import (
	"ldirectord/internal/health"
)

// count is the receiver that counts results and changes of state.
func count(c *Change) {
	switch {
	case c.Before.Health != health.Unknown: // it had another state
		c.s.tally.Transitions++
	case c.isNew():
		c.s.tally.Checks++
		if !c.Result.OK {
			c.s.tally.Fails(c.Result.Cause)
		}
		if !c.s.Fallback {
			c.v.took.Add(c.Result.Took)
			c.v.stages.Add(&c.Result.Stages)
		}
	}
}
