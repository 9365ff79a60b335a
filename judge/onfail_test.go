package judge

import (
	"fmt"
	"testing"
	"time"

	"ldirectord/checker/health"
	"ldirectord/lvs"
)

// The place of a failing server in the table, and the rule that decided it.
func TestOnFail(t *testing.T) {
	const out, keeps = "2:4", "1:0, 2:4"
	proven := func(c *Case) { c.Servers[0].First.Proven = true }
	for _, row := range []struct {
		what   string
		onFail lvs.OnFail
		given  func(*Case)
		want   string
		rule   string
	}{
		{"quiescent decides", lvs.ByQuiescent, func(c *Case) {}, out, "down"},
		{"… yes", lvs.ByQuiescent, func(c *Case) { c.Quiescent = true }, keeps, "down"},
		{"keep", lvs.Keep, func(c *Case) {}, keeps, "onfail"},
		{"… not in the table", lvs.Keep, func(c *Case) { c.Have.Remove(at(1)) }, out, "onfail"},
		{"… and quiescent", lvs.Keep, func(c *Case) { c.Quiescent = true; c.Have.Remove(at(1)) }, keeps, "onfail"},
		{"… in maintenance", lvs.Keep, func(c *Case) { c.Servers[0].File = true }, out, "down"},
		{"… by its own word", lvs.Keep, func(c *Case) {
			c.says(0, health.Up)
			c.Servers[0].First.Telling = health.Tells(health.Words{Admin: health.Maint})
		}, out, "told"},
		{"… drained", lvs.Keep, func(c *Case) { c.Servers[0].Order.Kind = Drain }, keeps, "onfail"},
		{"… it waits to come back", lvs.Keep, func(c *Case) {
			c.says(0, health.Up)
			c.Servers[0].Memory = Memory{Fallen: true, Noted: true, Turn: noon.Add(time.Minute)}
			c.HoldDown, c.HoldDownMax = time.Minute, time.Minute
			c.has(1, 0)
		}, keeps, "held down"},
		{"… held by the guard", lvs.Cut, func(c *Case) { proven(c); c.hold(0); c.KeepServing.N = 2 }, "1:4, 2:4", "guard"},
		{"… not any more", lvs.Cut, func(c *Case) { proven(c); c.hold(0); c.KeepServing.N = 1 }, out, "onfail"},
		{"cut", lvs.Cut, proven, out, "onfail"},
		{"… and quiescent", lvs.Cut, func(c *Case) { proven(c); c.Quiescent = true }, out, "onfail"},
		{"… by a check that never passed", lvs.Cut, func(c *Case) {}, keeps, "onfail"},
		{"… while another one passed", lvs.Cut, func(c *Case) {
			c.Servers[0].More = []Check{{Health: health.Assume(health.Up), Proven: true}}
		}, keeps, "onfail"},
		{"… drained by order", lvs.Cut, func(c *Case) { proven(c); c.Servers[0].Order.Kind = Drain }, keeps, "onfail"},
		{"… that only weighs", lvs.Cut, func(c *Case) {
			c.Servers[0].More = []Check{{Health: health.Assume(health.Down), Proven: true, Part: 50}}
		}, keeps, "onfail"},
		{"… by hand", lvs.Cut, func(c *Case) { proven(c); c.has(1, 7); c.byHand(1) }, "1:7, 2:4", "hand"},
		{"a time begins", lvs.OnFail(time.Minute), func(c *Case) {}, keeps, "onfail"},
		{"… continues", lvs.OnFail(time.Minute), func(c *Case) { c.Servers[0].Failed = noon.Add(1 - time.Minute) }, keeps, "onfail"},
		{"… is over", lvs.OnFail(time.Minute), func(c *Case) { c.Servers[0].Failed = noon.Add(-time.Minute) }, out, "onfail"},
		{"… is over, and quiescent", lvs.OnFail(time.Minute), func(c *Case) {
			c.Servers[0].Failed, c.Quiescent = noon.Add(-time.Minute), true
		}, out, "onfail"},
		{"… not in the table", lvs.OnFail(time.Minute), func(c *Case) { c.Have.Remove(at(1)) }, out, "onfail"},
		{"… is over, drained by order", lvs.OnFail(time.Minute), func(c *Case) {
			c.Servers[0].Failed, c.Servers[0].Order.Kind = noon.Add(-time.Minute), Drain
		}, keeps, "onfail"},
		{"… is over, without a result", lvs.OnFail(time.Minute), func(c *Case) {
			c.says(0, health.Unknown)
			c.has(1, 0)
			c.Servers[0].Failed = noon.Add(-time.Minute)
		}, keeps, "unknown"},
	} {
		c := inService(4, 4)
		c.says(0, health.Down)
		c.OnFail = row.onFail
		row.given(&c)
		d := Decide(c, noon)
		got := placed(&hearing{Decision: d})
		if got != row.want || d.State.Servers[0].Why.String() != row.rule {
			t.Errorf("%s: %q by %v, want %q by %v", row.what, got, d.State.Servers[0].Why, row.want, row.rule)
		}
		if since := d.State.Servers[0].Failed; row.onFail <= 0 && !since.IsZero() {
			t.Errorf("%s: onfail has no time, and it failed since %v", row.what, since)
		}
	}
}

// The time of onfail begins with each failure. When it is over, the next decision is due.
func TestTheTimeOfOnFail(t *testing.T) {
	c := inService(4, 4)
	c.OnFail = lvs.OnFail(10 * time.Second)
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
	c.OnFail = lvs.Cut
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
	}{{"1 passes, 1 passes, 1 reload, 1 fails", true}, {"1 passes", true}, {"1 fails", true}, {"1 passes, 1 passes, 1 fails", false}} {
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
	c.Servers[0].Failed = noon
	if c.Servers[0].Forgive(); !c.Servers[0].Failed.Equal(noon) {
		t.Error("the order that ends a wait forgets the time of the failure")
	}
	if c.Left(); !c.Servers[0].Failed.IsZero() {
		t.Error("a demotion does not forget the time of the failure")
	}
}
