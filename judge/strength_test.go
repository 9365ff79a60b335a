package judge

import (
	"fmt"
	"net/netip"
	"testing"

	"ldirectord/checker/health"
	"ldirectord/lvs"
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

// Three servers with minservers 2, or 1/3 where a row says so.
func TestWhetherEnoughAreUp(t *testing.T) {
	fail := func(c *Case, servers ...int) {
		for _, i := range servers {
			c.says(i, health.Down)
		}
	}
	lowHigh := func(c *Case) { c.MinServers = lvs.LowHigh{Low: lvs.Share{N: 1}, High: lvs.Share{N: 3}} }
	known := func(c *Case, enough bool) { c.Strength = Strength{Known: true, Enough: enough} }
	for _, row := range []struct {
		what  string
		given func(*Case)
		want  string
	}{
		{"all are up", func(c *Case) {}, "3/2 enough known serves"},
		{"as many as are needed", func(c *Case) { fail(c, 0) }, "2/2 enough known serves"},
		{"one less", func(c *Case) { fail(c, 0, 1) }, "1/2 known serves"},
		{"none", func(c *Case) { fail(c, 0, 1, 2) }, "0/2 known"},
		{"none, and the fallback server serves", func(c *Case) { fail(c, 0, 1, 2); c.FallbackIn = true },
			"0/2 known serves"},
		{"one is held", func(c *Case) { fail(c, 0, 1, 2); c.KeepServing.N = 1; c.Servers[0].Held = true },
			"0/2 known serves holds"},
		{"one is held, and not in the table", func(c *Case) {
			fail(c, 0, 1, 2)
			c.Servers[0].Held = true
			c.Have.Remove(at(1))
		}, "0/2 known"},
		{"weight 0", func(c *Case) { c.Members[0].Dest.Weight = 0 }, "2/2 enough known serves"},
		{"drained", func(c *Case) { c.Servers[0].Order.Kind = Drain }, "2/2 enough known serves"},
		{"maintenance", func(c *Case) { c.Servers[0].File = true }, "2/2 enough known serves"},
		{"one has no result", func(c *Case) { c.Servers[0].First.Pending = true }, "2/2 enough serves"},
		{"two have none", func(c *Case) { c.Servers[0].First.Pending, c.Servers[1].First.Pending = true, true },
			"1/2 serves"},
		{"one is not in the table", func(c *Case) { c.Have.Remove(at(1)) }, "2/2 enough known serves"},
		{"one has weight 0 in the table", func(c *Case) { c.has(1, 0) }, "2/2 enough known serves"},
		{"what the table has is not known", func(c *Case) { c.Lost() }, "3/2 enough known serves"},
		{"of 1/3 there are two, and were enough", func(c *Case) { lowHigh(c); known(c, true); fail(c, 0) },
			"2/1 enough known serves"},
		{"of 1/3 there are two, and were too few", func(c *Case) { lowHigh(c); known(c, false); fail(c, 0) },
			"2/3 known serves"},
		{"of 1/3 there are three, and were too few", func(c *Case) { lowHigh(c); known(c, false) },
			"3/1 enough known serves"},
		{"of 1/3 there is one, and were enough", func(c *Case) { lowHigh(c); known(c, true); fail(c, 0, 1) },
			"1/1 enough known serves"},
		{"of 1/3 there is none, and were enough", func(c *Case) { lowHigh(c); known(c, true); fail(c, 0, 1, 2) },
			"0/3 known"},
		{"of 1/3 there is none, one is awaited, and were enough", func(c *Case) {
			lowHigh(c)
			known(c, true)
			fail(c, 0, 1)
			c.Servers[2].First.Pending = true
		}, "0/1 enough known serves"},
		{"two of two are awaited, and were enough", func(c *Case) {
			known(c, true)
			fail(c, 0)
			c.Servers[1].First.Pending, c.Servers[2].First.Pending = true, true
		}, "0/2 enough known serves"},
		{"a reload replaced all, and the old ones serve on", func(c *Case) {
			for i := range c.Servers {
				c.Servers[i].First.Pending = true
				c.says(i, health.Unknown)
			}
			c.Have = lvs.Dests{{Addr: at(7), Weight: 1}}
		}, "0/2 serves"},
		{"… or have weight 0", func(c *Case) {
			for i := range c.Servers {
				c.Servers[i].First.Pending = true
				c.says(i, health.Unknown)
			}
			c.Have = lvs.Dests{{Addr: at(7)}}
		}, "0/2"},
		{"none is awaited, and something else serves", func(c *Case) {
			fail(c, 0, 1, 2)
			c.Have = lvs.Dests{{Addr: at(7), Weight: 1}}
		}, "0/2 known"},
		{"not checked", func(c *Case) {
			for i, m := range c.Members {
				m.Unchecked = true
				c.says(i, health.Unknown)
			}
			c.has(2, 0)
			c.Have.Remove(at(3))
		}, "1/2 known serves"},
		{"not checked, and none put into the table", func(c *Case) {
			for i, m := range c.Members {
				m.Unchecked = true
				c.says(i, health.Unknown)
			}
			c.Have = lvs.Dests{}
		}, "0/2 known"},
		{"a name has no address, and what was found serves", func(c *Case) {
			known(c, true)
			fail(c, 0, 1)
			c.Waiting, c.Found = []uint32{1}, map[netip.AddrPort]bool{at(7): true}
			c.has(7, 1)
		}, "1/2 enough known serves"},
		{"a name has no address, and nothing was found", func(c *Case) {
			known(c, true)
			fail(c, 0, 1)
			c.Waiting = []uint32{1}
		}, "1/2 known serves"},
	} {
		c := inService(4, 4, 4)
		c.MinServers = lvs.LowHigh{Low: lvs.Share{N: 2}, High: lvs.Share{N: 2}}
		row.given(&c)
		if c.Weigh(); strong(c.Strength) != row.want {
			t.Errorf("%s: %s, want %s", row.what, strong(c.Strength), row.want)
		}
	}
}
