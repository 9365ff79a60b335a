package judge

import (
	"testing"
	"time"

	"ldirectord/lvs"
)

// Four servers of weight 4. One that is left out stays out for 10 s, the next time for 20 s.
func TestObserve(t *testing.T) {
	const out = "1 looks, 1 looks, 1 looks"
	const back = ", 1 rests, 10s"
	const twice = out + back + ", " + out + ", 1 rests, 20s"
	for _, row := range []struct {
		what  string
		given func(*Case)
		does  string
		want  string // the weights, and the time until the next decision
	}{
		{"twice suspected", nil, "1 looks, 1 looks", "4444"},
		{"three times", nil, out, "0444 10s"},
		{"reported alone", func(c *Case) { c.Observe = lvs.Reported }, out, "4444"},
		{"others were not answered at one look", nil, "1 looks, 1 wonders, 1 looks", "4444"},
		{"… that does not count", nil, "1 looks, 1 wonders, 1 looks, 1 looks", "0444 10s"},
		{"answered between", nil, "1 looks, 1 looks, 1 answered, 1 looks", "4444"},
		{"no client between", nil, "1 looks, 1 looks, 1 rests, 1 looks", "4444"},
		{"back by holddown", nil, out + back, "4444"},
		{"… not before", nil, out + ", 1 rests, 9s", "0444 1s"},
		{"… and by its checks", nil, out + back[:len(back)-3] + "9s, 1 fails, 5s", "-444"},
		{"… which pass again", nil, out + ", 1 rests, 1 fails, 15s, 1 passes", "4444"},
		{"without an answer it is out for longer", nil, out + back + ", " + out, "0444 20s"},
		{"with one it is not", nil, out + back + ", 1 answered, 40s, " + out, "0444 10s"},
		{"after two returns it stays out", nil, twice + ", " + out + ", 1 rests, 100s", "0444"},
		{"… until an order", nil, twice + ", " + out + ", 1 ready", "4444"},
		{"… another one", nil, twice + ", " + out + ", 1 drain, 1 undo", "4444"},
		{"… or too few serve", nil, twice + ", " + out + ", 2 fails, 3 fails", "4--4 40s"},
		{"… or nothing is observed any more", nil, twice + ", " + out + ", 1 rests, unobserved, 40s", "4444"},
		{"an answer between the returns counts", nil, out + back + ", 1 answered, " + out + ", 1 rests, 20s, " +
			out + ", 1 rests, 100s", "4444"},
		{"what old connections get while it is out does not", nil, twice + ", " + out + ", 1 answered, 100s", "0444"},
		{"no time forgets that", nil, twice + ", 100s, " + out + ", 1 rests, 100s", "0444"},
		{"one at a time", nil, out + ", 2 looks, 2 looks, 2 looks", "0444 10s"},
		{"… and then the other", nil, out + ", 2 looks, 2 looks, 2 looks, 1 rests, 10s", "4044 10s"},
		{"as many serve as the guard wants", func(c *Case) { c.KeepServing = lvs.Share{N: 3} }, out, "0444 10s"},
		{"not fewer", func(c *Case) { c.KeepServing = lvs.Share{N: 4} }, out, "4444"},
		{"as many as minservers wants", func(c *Case) { c.MinServers.High = lvs.Share{N: 4} }, out, "4444"},
		{"half of them", nil, "3 fails, 4 fails, " + out, "44--"},
		{"what the guard holds does not serve", func(c *Case) { c.KeepServing = lvs.Share{N: 3} },
			"3 fails, 4 fails, " + out, "44-4"},
		{"one that the guard holds stays", func(c *Case) { c.KeepServing = lvs.Share{N: 4} }, out + ", 1 fails", "4444"},
		{"one that is drained stays so", nil, "1 drain, " + out + ", 1 undo", "0444 10s"},
		{"a backup server stays in", func(c *Case) {
			c.Members[0].Backup, c.Backed, c.BackupBelow = true, true, lvs.LowHigh{Low: lvs.Share{N: 9}, High: lvs.Share{N: 9}}
			c.Index()
		}, out, "4444"},
		{"it fails and is removed", nil, out + ", 1 fails", "-444"},
		{"… or not, as onfail says", func(c *Case) { c.OnFail = lvs.Keep }, out + ", 1 fails", "0444"},
		{"onfail counts from the failure", func(c *Case) { c.OnFail = lvs.OnFail(30 * time.Second) },
			out + ", 9s, 1 fails", "0444 30s"},
		{"what it says of failures is not asked", func(c *Case) { c.OnFail = lvs.OnFail(5 * time.Second) },
			out + ", 9s", "0444 1s"},
		{"cut is for those that fail", func(c *Case) { c.OnFail = lvs.Cut }, "1 passes, " + out, "0444 10s"},
		{"… and not for suspected ones", func(c *Case) { c.OnFail = lvs.Cut }, "1 passes, 1 looks, 1 fails", "0444"},
		{"… which were left out", func(c *Case) { c.OnFail = lvs.Cut },
			"1 passes, " + out + ", 1 rests, 1 fails", "0444"},
		{"a look at one that fails is none", func(c *Case) { c.OnFail = lvs.Cut },
			"1 passes, 1 looks, 1 fails, 1 answered", "0444"},
		{"a reload forgets nothing", nil, twice + ", " + out + ", 2 reload, 100s", "0444"},
		{"… nor a look", nil, "1 looks, 1 looks, 2 reload, 1 looks", "0444 10s"},
		{"a weight by hand ends it", nil, out + ", 1 hand", "9444"},
		{"a director that stands by leaves none out", func(c *Case) { c.Owner = ActiveDirector }, out, "4444"},
		{"nor does one that obeys checks", func(c *Case) { c.Obeys = true; c.hold(3) }, out, "444-"},
	} {
		t.Run(row.what, func(t *testing.T) {
			p := playedWith(func(c *Case) {
				if c.Observe = lvs.LeftOut; row.given != nil {
					row.given(c)
				}
			})
			if p.do(t, row.does); p.String() != row.want {
				t.Errorf("%s, want %s", p, row.want)
			}
		})
	}
}

// A server that is left out stays out after a failed write.
func TestAServerStaysLeftOutWhenAWriteFails(t *testing.T) {
	p := playedWith(func(c *Case) { c.Observe = lvs.LeftOut })
	for look := range surely {
		last := look == surely-1
		if changed := Observed(&p.Servers[0], seen(true, true, false)); changed != last {
			t.Errorf("look %d may change the table: %v", look, changed)
		}
	}
	for range 2 {
		d := Decide(p.Case, p.now)
		if p.Adopt(d.State); d.Places[at(1)].Weight != 0 || p.Servers[0].Suspects != 1 {
			t.Errorf("weight %d after it was left out %d times", d.Places[at(1)].Weight, p.Servers[0].Suspects)
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
