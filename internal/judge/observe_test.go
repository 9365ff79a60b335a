package judge

import (
	"testing"

	"ldirectord/internal/testkit"
)

// A server that is left out stays out after a failed write.
func TestAServerStaysLeftOutWhenAWriteFails(t *testing.T) {
	p := playedWith("holddown=10, observe=out")
	for look := range surely {
		last := look == surely-1
		testkit.Equal(t, Observed(&p.Servers[0], seen(true, true, false)), last, "look", look,
			"may change the table")
	}
	for range 2 {
		d := Decide(p.Case, p.now)
		if p.Adopt(d.State); d.Places[at(1)].Weight != 0 || p.Servers[0].Suspects != 1 {
			t.Errorf("weight %d after it was left out %d times", d.Places[at(1)].Weight,
				p.Servers[0].Suspects)
		}
	}
}

// Suspicions are counted until clients get answers: that nothing is asked of the server is not one.
func TestAnAnswerForgetsSuspicions(t *testing.T) {
	s := &inService(4).Servers[0]
	for _, row := range []struct {
		answered bool
		want     uint8
	}{{false, 2}, {true, 0}} {
		s.Suspects = 2
		if Observed(s, seen(false, true, row.answered)); s.Suspects != row.want {
			t.Errorf("answered %v: %d suspicions", row.answered, s.Suspects)
		}
	}
}
