package judge

import (
	"fmt"
	"testing"

	"ldirectord/internal/testkit"
)

// The place of a failing server in the table, and the rule that decided it.
func TestOnFail(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/onfail.txt", 4) {
		c := inService(4, 4)
		c.given("1 down")
		c.given(row[1])
		d := Decide(c, noon)
		got := []string{placed(&proposal{Decision: d}), d.State.Servers[0].Why.String()}
		testkit.Same(t, got, row[2:], row[0])
		if since := d.State.Servers[0].Failed; c.OnFail <= 0 && !since.IsZero() {
			t.Errorf("%s: onfail has no time, and it failed since %v", row[0], since)
		}
	}
}

// The time of onfail begins with each failure. When it is over, the next decision is due.
func TestTheTimeOfOnFail(t *testing.T) {
	c := inService(4, 4)
	c.given("onfail=10")
	p := &played{Case: c, now: noon}
	for _, row := range []struct{ does, want string }{
		{"1 fails", "0 until 10s"},
		{"3s", "0 until 10s"},
		{"1 reload", "0 until never"},
		{"1 fails", "0 until 10s"},
		{"1 passes", "4 until never"},
		{"1 fails", "0 until 13s"},
		{"9s", "0 until 13s"},
		{"1 maint", "out until never"},
		{"1 undo", "out until never"},
		{"1 passes", "4 until never"},
		{"1 fails", "0 until 22s"},
		{"10s", "out until never"},
		{"1 fails", "out until never"},
		{"1 passes", "4 until never"},
	} {
		p.do(t, row.does)
		got, again := "out", "never"
		if d, in := p.Have.At(at(1)); in {
			got = fmt.Sprint(d.Weight)
		}
		if !p.again.IsZero() {
			again = p.again.Sub(noon).String()
		}
		if got += " until " + again; got != row.want {
			t.Fatalf("%s: %s, want %s", row.does, got, row.want)
		}
	}
}

// A failing check cuts connections only if it has passed before: this check, in this daemon.
func TestWhichCheckCuts(t *testing.T) {
	c := inService(4, 4)
	c.given("onfail=cut")
	p := &played{Case: c, now: noon}
	for _, row := range []struct {
		does string
		in   bool
	}{
		{"1 fails", true}, {"1 passes", true}, {"1 fails", false},
		{"1 passes, 1 reload, 1 fails", true}, {"1 fails", true}, {"1 passes, 1 fails", false},
		{"1 passes, 2 reload, 1 fails", false},
	} {
		p.do(t, row.does)
		if _, in := p.Have.At(at(1)); in != row.in {
			t.Fatalf("%s: in the table: %v", row.does, in)
		}
	}
	p.Rule.Rise = 2
	for _, row := range []struct {
		does string
		in   bool
	}{{"1 passes, 1 passes, 1 reload, 1 fails", true}, {"1 passes", true}, {"1 fails", true},
		{"1 passes, 1 passes, 1 fails", false}} {
		p.do(t, row.does)
		if _, in := p.Have.At(at(1)); in != row.in {
			t.Fatalf("two successes are needed, %s: in the table: %v", row.does, in)
		}
	}
	check := &Check{}
	for _, ok := range []bool{true, false} {
		if check.Learn(c.Rule, ok, NotReached); check.Proven != ok {
			t.Errorf("taken over from another section, passed %v: proven %v", ok, check.Proven)
		}
	}
}

// A demotion forgets when servers failed. An order that ends a wait does not.
func TestWhatForgetsAFailure(t *testing.T) {
	c := inService(4)
	c.given("1 failed")
	if c.Servers[0].Forgive(); !c.Servers[0].Failed.Equal(noon) {
		t.Error("the order that ends a wait forgets the time of the failure")
	}
	if c.Left(); !c.Servers[0].Failed.IsZero() {
		t.Error("a demotion does not forget the time of the failure")
	}
}
