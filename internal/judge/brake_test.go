package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

const patience = 10 * time.Second

func TestWhatTheBrakeTakes(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/braked.txt", 4) {
		c := sectionWith(brakes + ", " + row[1])
		kept, idle := c.Accuse(Spot{}, noon)
		brake := ""
		if len(c.Paths) > 0 {
			brake = fmt.Sprint(c.Paths[0].Accuses, c.Paths[0].Due)
		}
		is := word(kept, "kept ") + word(idle, "idle ") + word(!c.Servers[0].First.Accused.IsZero(), "accused")
		testkit.Same(t, []string{strings.TrimSpace(is), brake}, row[2:], row[0])
	}
}

func TestWhatTheBrakeSettles(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/settled.txt", 5) {
		c := sectionWith(brakes + ", " + row[1])
		now := noon.Add(map[string]time.Duration{"patience": patience, "longer": patience + 1}[row[2]])
		done := c.Settle(0, patience, now)
		b := c.Paths[0]
		got := fmt.Sprint(done.Over, " ", serversAt(done.Judged), " ", serversAt(done.Asked), " ",
			serversAt(done.Holds))
		testkit.Same(t, []string{got, fmt.Sprint(b.Accuses, b.Holds)}, row[3:], row[0])
		testkit.Equal(t, b.Due, false, row[0], "due")
		for _, at := range done.Judged {
			if !c.check(at).Accused.IsZero() {
				t.Errorf("%s: %v is judged and still accused", row[0], at)
			}
		}
		if accused, _, _ := fellows(&c, 0); done.Over && (len(accused) > 0 || !b.Over.Equal(now)) {
			t.Errorf("%s: the brake is over at %v, and %v are still accused", row[0], accused, b.Over)
		}
	}
}

func serversAt(spots []Spot) (list []int) {
	list = []int{}
	for _, at := range spots {
		list = append(list, int(at.Server)+1)
	}
	return list
}
