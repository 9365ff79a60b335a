package judge

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// Servers 1 and 2 are checked through the virtual address, by checks of line 0. Server 3 is gone. Each row has the
// results.

const patience = 10 * time.Second

func braked() Case {
	c := inService(4, 4, 4)
	c.Brakes, c.Servers[2].Gone = make([]Brake, 1), true
	for i := range c.Servers {
		c.Servers[i].First.Took(Passage{Began: noon, OK: true, Passed: true}, time.Time{})
	}
	return c
}

func TestWhatTheBrakeTakes(t *testing.T) {
	for _, row := range []struct {
		what       string
		given      string
		kept, idle bool
		accused    bool
		brake      string // Accuses and Due
	}{
		{"it passes", "", false, false, false, "false false"},
		{"it fails through the virtual address alone", "1 vipfails", true, false, true, "true true"},
		{"… for the second time", "1 vipfails accused=-1ns", true, true,
			true, "false false"},
		{"… while the brake holds", "1 vipfails, brakes.holds", true, true, true, "true true"},
		{"… by a check from before the brake ended", "1 vipfails, brakes.over=1ns", true,
			true, false, "false false"},
		{"… by a check from when the brake ended", "1 vipfails, brakes.over", true, false,
			true, "true true"},
		{"… and is down", "1 vipfails down", false, false, false, "false false"},
		{"… and has no result", "1 vipfails unknown", false, false, false,
			"false false"},
		{"… in maintenance", "1 vipfails file", false, false, false, "false false"},
		{"… without checkvip", "1 vipfails, nobrakes", false, false, false, ""},
		{"… where checks are obeyed by order", "1 vipfails, obeys", false, false, false,
			"false false"},
		{"it was accused, and passes", "1 accused", false, false, false,
			"false false"},
		{"it passes while another is accused", "brakes.accuses", false, false, false,
			"true true"},
	} {
		c := braked()
		c.given(row.given)
		kept, idle := c.Brake(Spot{}, noon)
		brake := ""
		if len(c.Brakes) > 0 {
			brake = fmt.Sprint(c.Brakes[0].Accuses, c.Brakes[0].Due)
		}
		accused := !c.Servers[0].First.Accused.IsZero()
		if kept != row.kept || idle != row.idle || accused != row.accused || brake != row.brake {
			t.Errorf("%s: kept %v, idle %v, accused %v, brake %s", row.what, kept, idle, accused, brake)
		}
	}
}

// The first check that passes in a wake-up is the newest one until the next wake-up.
func TestTheNewestCheckOfAWakeUp(t *testing.T) {
	c := braked()
	c.given("brakes.accuses")
	one, two := Spot{Server: 0}, Spot{Server: 1}
	c.Brake(one, noon)
	if c.Brake(two, noon); c.Brakes[0].Newest != one {
		t.Error("the second pass of the wake-up replaced the first one as the newest check")
	}
	c.given("1 vipfails")
	if c.Brake(two, noon); c.Brakes[0].Newest != two {
		t.Error("a check that has failed since is still the newest")
	}
	c.given("not brakes.due")
	if c.Brake(one, noon); c.Brakes[0].Newest != one {
		t.Error("a check of the last wake-up is still the newest")
	}
}

func TestWhatTheBrakeSettles(t *testing.T) {
	both := "1 vipfails, 2 vipfails, 1 accused, 2 accused"
	one := "1 vipfails accused"
	accuses := Brake{Accuses: true, Due: true}
	holding := Brake{Accuses: true, Holds: true, Due: true}
	for _, row := range []struct {
		what  string
		given string
		brake Brake
		now   time.Time
		want  string // Over, then the servers in Judged, Asked and Holds
		after string // Accuses and Holds
	}{
		{what: "nothing is new", given: both, brake: Brake{Accuses: true}, want: "false [] [] []", after: "true false"},
		{what: "both fail: it holds", given: both, brake: accuses, want: "false [] [] [1 2]", after: "true true"},
		{what: "one fails: the other is asked", given: one, brake: accuses, want: "false [] [2] []", after: "true false"},
		{what: "one fails alone: the other can't tell", given: one + ", 2 not tells",
			brake: accuses, want: "false [1] [] []", after: "false false"},
		{what: "one fails, the other passed since", given: one + ", 2 began=1ns", brake: accuses, want: "false [1] [] []", after: "false false"},
		{what: "one fails alone: the other is down", given: one + ", 2 down not passed", brake: accuses, want: "false [1] [] []", after: "false false"},
		{what: "one fails alone: the other is in maintenance", given: one + ", 2 file",
			brake: accuses, want: "false [1] [] []", after: "false false"},
		{what: "one fails alone: the other has gone", given: one + ", 2 gone",
			brake: accuses, want: "false [1] [] []", after: "false false"},
		{what: "one fails alone: the other is not checked", given: one + ", 2 unchecked",
			brake: accuses, want: "false [1] [] []", after: "false false"},
		{what: "one fails alone: the other has another line of checks", given: one + ", 2 line=1", brake: accuses, want: "false [1] [] []", after: "false false"},
		{what: "both fail: a third one is asked", given: both + ", 3 not gone",
			brake: accuses, want: "false [] [3] []", after: "true false"},
		{what: "both fail for as long as failures wait", given: both, brake: accuses, now: noon.Add(patience),
			want: "false [] [] [1 2]", after: "true true"},
		{what: "both fail for longer", given: both, brake: accuses, now: noon.Add(patience + 1), want: "false [1 2] [] []",
			after: "false false"},
		{what: "one fails for longer, the other can't yet", given: both + ", 2 accused=1ns", brake: accuses, now: noon.Add(patience + 1), want: "false [1] [] [2]", after: "true true"},
		{what: "it holds, and fails still", given: both, brake: holding, want: "false [] [] []", after: "true true"},
		{what: "it holds, and one passes", given: both + ", 1 passed",
			brake: holding, want: "true [] [] []", after: "false false"},
		{what: "it holds, and none is accused", given: "1 vipfails", brake: holding,
			want: "true [] [] []", after: "false false"},
	} {
		c := braked()
		c.given(row.given)
		c.Brakes[0] = row.brake
		now := row.now
		if now.IsZero() {
			now = noon
		}
		done := c.Settle(0, patience, now)
		b := c.Brakes[0]
		got := fmt.Sprint(done.Over, " ", serversAt(done.Judged), " ", serversAt(done.Asked), " ", serversAt(done.Holds))
		if after := fmt.Sprint(b.Accuses, b.Holds); got != row.want || after != row.after || b.Due {
			t.Errorf("%s: %s, then %s, want %s, then %s", row.what, got, after, row.want, row.after)
		}
		for _, at := range done.Judged {
			if !c.check(at).Accused.IsZero() {
				t.Errorf("%s: %v is judged and still accused", row.what, at)
			}
		}
		if accused, _, _ := fellows(&c, 0); done.Over && (len(accused) > 0 || !b.Over.Equal(now)) {
			t.Errorf("%s: the brake is over at %v, and %v are still accused", row.what, accused, b.Over)
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
		if c.Brakes[0].Holds = row.holds; row.accused {
			check.Accused = noon
		}
		if c.IsBraked(check) != row.braked || c.IsBraking() != row.holds {
			t.Errorf("%+v: IsBraked is %v, IsBraking is %v", row, c.IsBraked(check), c.IsBraking())
		}
	}
}

// While checks are obeyed by order, the brake holds nothing and all failures count.
func TestChecksAreObeyedByOrder(t *testing.T) {
	for _, obeys := range []bool{true, false} {
		c := braked()
		c.Obeys, c.Brakes[0].Holds, c.Servers[1].First.Accused = !obeys, true, noon
		judged := serversAt(c.Obey(obeys))
		if c.Obeys != obeys || c.IsBraking() == obeys || slices.Equal(judged, []int{2}) != obeys {
			t.Errorf("obeys %v: judged %v, brakes %+v", obeys, judged, c.Brakes)
		}
		if c.Servers[1].First.Accused.IsZero() != obeys {
			t.Errorf("obeys %v: accused since %v", obeys, c.Servers[1].First.Accused)
		}
	}
}
