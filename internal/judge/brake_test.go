package judge

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// Servers 1 and 2 are checked through the virtual address, by checks of line 0. Server 3 is gone. Each row has the
// results.

const patience = 10 * time.Second

func braked() Case {
	c := inService(4, 4, 4)
	c.Paths, c.Servers[2].Gone = make([]Path, 1), true
	for i := range c.Servers {
		c.Servers[i].First.Took(Passage{Began: noon, OK: true, Passed: true}, time.Time{})
	}
	return c
}

func TestWhatTheBrakeTakes(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/braked.txt", 4) {
		c := braked()
		c.given(row[1])
		kept, idle := c.Accuse(Spot{}, noon)
		brake := ""
		if len(c.Paths) > 0 {
			brake = fmt.Sprint(c.Paths[0].Accuses, c.Paths[0].Due)
		}
		is := word(kept, "kept ") + word(idle, "idle ") + word(!c.Servers[0].First.Accused.IsZero(), "accused")
		testkit.Same(t, []string{strings.TrimSpace(is), brake}, row[2:], row[0])
	}
}

// The first check that passes in a wake-up is the newest one until the next wake-up.
func TestTheNewestCheckOfAWakeUp(t *testing.T) {
	c := braked()
	c.given("paths.accuses")
	one, two := Spot{Server: 0}, Spot{Server: 1}
	c.Accuse(one, noon)
	if c.Accuse(two, noon); c.Paths[0].Newest != one {
		t.Error("the second pass of the wake-up replaced the first one as the newest check")
	}
	c.given("1 vipfails")
	if c.Accuse(two, noon); c.Paths[0].Newest != two {
		t.Error("a check that has failed since is still the newest")
	}
	c.given("not paths.due")
	if c.Accuse(one, noon); c.Paths[0].Newest != one {
		t.Error("a check of the last wake-up is still the newest")
	}
}

func TestWhatTheBrakeSettles(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/settled.txt", 5) {
		c := braked()
		c.given(row[1])
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

// The newest of the checks that passed proves that the path works.
func TestTheProofIsTheNewestPass(t *testing.T) {
	c := braked()
	c.given("1 began=1s")
	_, open, proof := fellows(&c, 0)
	if !proof.Equal(noon.Add(time.Second)) || !slices.Equal(serversAt(open), []int{1, 2}) {
		t.Errorf("the checks that can still tell: %v, the newest pass: %v", open, proof)
	}
	c.given("1 not passed")
	if _, _, proof := fellows(&c, 0); !proof.Equal(noon) {
		t.Errorf("after the newest pass has gone, the newest is %v", proof)
	}
}

func TestWhichChecksAreBraked(t *testing.T) {
	for _, row := range []struct{ accused, holds, braked bool }{
		{true, true, true}, {true, false, false}, {false, true, false}, {false, false, false},
	} {
		c := braked()
		check := &c.Servers[0].First
		if c.Paths[0].Holds = row.holds; row.accused {
			check.Accused = noon
		}
		if c.IsWithheld(check) != row.braked || c.Withholds() != row.holds {
			t.Errorf("%+v: IsWithheld is %v, Withholds is %v", row, c.IsWithheld(check), c.Withholds())
		}
	}
}

// While checks are obeyed by order, the brake holds nothing and all failures count.
func TestChecksAreObeyedByOrder(t *testing.T) {
	for _, obeys := range []bool{true, false} {
		c := braked()
		c.Obeys, c.Paths[0].Holds, c.Servers[1].First.Accused = !obeys, true, noon
		judged := serversAt(c.Obey(obeys))
		if c.Obeys != obeys || c.Withholds() == obeys || slices.Equal(judged, []int{2}) != obeys {
			t.Errorf("obeys %v: judged %v, brakes %+v", obeys, judged, c.Paths)
		}
		if c.Servers[1].First.Accused.IsZero() != obeys {
			t.Errorf("obeys %v: accused since %v", obeys, c.Servers[1].First.Accused)
		}
	}
}
