package judge

import (
	"testing"

	"ldirectord/internal/testkit"
)

// Four servers of weight 4. One that is left out stays out for 10 s, the next time for 20 s.
func TestObserve(t *testing.T) {
	const out = "1 looks, 1 looks, 1 looks"
	const back = ", 1 rests, 10s"
	const twice = out + back + ", " + out + ", 1 rests, 20s"
	for _, row := range []struct {
		what  string
		given string
		does  string
		want  string // the weights, and the time until the next decision
	}{
		{"twice suspected", "", "1 looks, 1 looks", "4444"},
		{"three times", "", out, "0444 10s"},
		{"reported alone", "observe=yes", out, "4444"},
		{"others were not answered at one look", "", "1 looks, 1 wonders, 1 looks", "4444"},
		{"… that does not count", "", "1 looks, 1 wonders, 1 looks, 1 looks", "0444 10s"},
		{"answered between", "", "1 looks, 1 looks, 1 answered, 1 looks", "4444"},
		{"no client between", "", "1 looks, 1 looks, 1 rests, 1 looks", "4444"},
		{"back by holddown", "", out + back, "4444"},
		{"… not before", "", out + ", 1 rests, 9s", "0444 1s"},
		{"… and by its checks", "", out + back[:len(back)-3] + "9s, 1 fails, 5s", "-444"},
		{"… which pass again", "", out + ", 1 rests, 1 fails, 15s, 1 passes", "4444"},
		{"without an answer it is out for longer", "", out + back + ", " + out, "0444 20s"},
		{"with one it is not", "", out + back + ", 1 answered, 40s, " + out, "0444 10s"},
		{"after two returns it stays out", "", twice + ", " + out + ", 1 rests, 100s", "0444"},
		{"… until an order", "", twice + ", " + out + ", 1 ready", "4444"},
		{"… another one", "", twice + ", " + out + ", 1 drain, 1 undo", "4444"},
		{"… or too few serve", "", twice + ", " + out + ", 2 fails, 3 fails", "4--4 40s"},
		{"… or nothing is observed any more", "", twice + ", " + out + ", 1 rests, unobserved, 40s", "4444"},
		{"an answer between the returns counts", "", out + back + ", 1 answered, " + out + ", 1 rests, 20s, " +
			out + ", 1 rests, 100s", "4444"},
		{"what old connections get while it is out does not", "", twice + ", " + out + ", 1 answered, 100s", "0444"},
		{"no time forgets that", "", twice + ", 100s, " + out + ", 1 rests, 100s", "0444"},
		{"one at a time", "", out + ", 2 looks, 2 looks, 2 looks", "0444 10s"},
		{"… and then the other", "", out + ", 2 looks, 2 looks, 2 looks, 1 rests, 10s", "4044 10s"},
		{"as many serve as the guard wants", "keepserving=3", out, "0444 10s"},
		{"not fewer", "keepserving=4", out, "4444"},
		{"as many as minservers wants", "minservers.high=4", out, "4444"},
		{"half of them", "", "3 fails, 4 fails, " + out, "44--"},
		{"what the guard holds does not serve", "keepserving=3",
			"3 fails, 4 fails, " + out, "44-4"},
		{"one that the guard holds stays", "keepserving=4", out + ", 1 fails", "4444"},
		{"one that is drained stays so", "", "1 drain, " + out + ", 1 undo", "0444 10s"},
		{"a backup server stays in", "1 backup, backed, backupbelow=9", out, "4444"},
		{"it fails and is removed", "", out + ", 1 fails", "-444"},
		{"… or not, as onfail says", "onfail=keep", out + ", 1 fails", "0444"},
		{"onfail counts from the failure", "onfail=30",
			out + ", 9s, 1 fails", "0444 30s"},
		{"what it says of failures is not asked", "onfail=5",
			out + ", 9s", "0444 1s"},
		{"cut is for those that fail", "onfail=cut", "1 passes, " + out, "0444 10s"},
		{"… and not for suspected ones", "onfail=cut", "1 passes, 1 looks, 1 fails", "0444"},
		{"… which were left out", "onfail=cut",
			"1 passes, " + out + ", 1 rests, 1 fails", "0444"},
		{"a look at one that fails is none", "onfail=cut",
			"1 passes, 1 looks, 1 fails, 1 answered", "0444"},
		{"a reload forgets nothing", "", twice + ", " + out + ", 2 reload, 100s", "0444"},
		{"… nor a look", "", "1 looks, 1 looks, 2 reload, 1 looks", "0444 10s"},
		{"a weight by hand ends it", "", out + ", 1 hand", "9444"},
		{"a director that stands by leaves none out", "standby", out, "4444"},
		{"nor does one that obeys checks", "obeys, 4 down held", out, "444-"},
	} {
		t.Run(row.what, func(t *testing.T) {
			p := playedWith("holddown=10, observe=out, " + row.given)
			if p.do(t, row.does); p.String() != row.want {
				t.Errorf("%s, want %s", p, row.want)
			}
		})
	}
}

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
