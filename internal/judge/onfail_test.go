package judge

import (
	"fmt"
	"testing"
	"time"

	"ldirectord/internal/lvs"
)

// The place of a failing server in the table, and the rule that decided it.
func TestOnFail(t *testing.T) {
	const out, keeps = "2:4", "1:0, 2:4"
	proven := "1 proven"
	for _, row := range []struct {
		what   string
		onFail lvs.OnFail
		given  string
		want   string
		rule   string
	}{
		{"quiescent decides", lvs.ByQuiescent, "", out, "down"},
		{"… yes", lvs.ByQuiescent, "quiescent", keeps, "down"},
		{"keep", lvs.Keep, "", keeps, "onfail"},
		{"… not in the table", lvs.Keep, "1 absent", out, "onfail"},
		{"… and quiescent", lvs.Keep, "quiescent, 1 absent", keeps, "onfail"},
		{"… in maintenance", lvs.Keep, "1 file", out, "down"},
		{"… by its own word", lvs.Keep, "1 up says=maint", out, "told"},
		{"… drained", lvs.Keep, "1 drained", keeps, "onfail"},
		{"… it waits to come back", lvs.Keep, "1 up fallen noted turn=1m, holddown=60, 1 table=0", keeps, "held down"},
		{"… held by the guard", lvs.Cut, proven + ", 1 down held, keepserving=2", "1:4, 2:4", "guard"},
		{"… not any more", lvs.Cut, proven + ", 1 down held, keepserving=1", out, "onfail"},
		{"cut", lvs.Cut, proven, out, "onfail"},
		{"… and quiescent", lvs.Cut, proven + ", quiescent", out, "onfail"},
		{"… by a check that never passed", lvs.Cut, "", keeps, "onfail"},
		{"… while another one passed", lvs.Cut, "1 also=up more.proven", keeps, "onfail"},
		{"… drained by order", lvs.Cut, proven + ", 1 drained", keeps, "onfail"},
		{"… that only weighs", lvs.Cut, "1 also=down more.proven more.part=50", keeps, "onfail"},
		{"… by hand", lvs.Cut, proven + ", 1 table=7 byhand", "1:7, 2:4", "hand"},
		{"a time begins", lvs.OnFail(time.Minute), "", keeps, "onfail"},
		{"… continues", lvs.OnFail(time.Minute), "1 failed=-59.999999999s", keeps, "onfail"},
		{"… is over", lvs.OnFail(time.Minute), "1 failed=-1m", out, "onfail"},
		{"… is over, and quiescent", lvs.OnFail(time.Minute), "1 failed=-1m, quiescent", out, "onfail"},
		{"… not in the table", lvs.OnFail(time.Minute), "1 absent", out, "onfail"},
		{"… is over, drained by order", lvs.OnFail(time.Minute), "1 failed=-1m drained", keeps, "onfail"},
		{"… is over, without a result", lvs.OnFail(time.Minute), "1 unknown table=0 failed=-1m", keeps, "unknown"},
	} {
		c := inService(4, 4)
		c.given("1 down")
		c.OnFail = row.onFail
		c.given(row.given)
		d := Decide(c, noon)
		got := placed(&proposal{Decision: d})
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
	c.given("1 failed")
	if c.Servers[0].Forgive(); !c.Servers[0].Failed.Equal(noon) {
		t.Error("the order that ends a wait forgets the time of the failure")
	}
	if c.Left(); !c.Servers[0].Failed.IsZero() {
		t.Error("a demotion does not forget the time of the failure")
	}
}
