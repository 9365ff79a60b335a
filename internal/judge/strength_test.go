package judge

import (
	"fmt"
	"testing"

	"ldirectord/internal/testkit"
)

// strong is the strength of a section: servers up, servers needed, then the facts that are true.
func strong(n Strength) string {
	text := fmt.Sprintf("%d/%d", n.Up, n.Needed)
	for _, fact := range []struct {
		is   bool
		name string
	}{{n.Enough, " enough"}, {n.Known, " known"}, {n.Serves, " serves"}, {n.Holds, " holds"}} {
		if fact.is {
			text += fact.name
		}
	}
	return text
}

func TestWhetherEnoughAreUp(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/strength.txt", 3) {
		c := inService(4, 4, 4)
		c.given("minservers=2")
		c.given(row[1])
		c.Weigh()
		testkit.Equal(t, strong(c.Strength), row[2], row[0])
	}
}
