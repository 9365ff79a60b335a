package director

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/history"
	"ldirectord/lvs"
	"ldirectord/notify/monitorfile"
	"ldirectord/parser"
)

const manyChecks = `virtual = 10.1.0.1:80
	real = 10.2.0.1:80 gate "own", "strings"
	real = 10.2.0.2:80 gate
	checktype = 2
	service = http
	checktimeout = 3
	negotiatetimeout = 4
	receive = "ok"
	passwd = "pw"
	alsocheck = connect 81
	alsocheck = https 443 "health" "^well"
	alsocheck = ping
	alsocheck = external
	alsocheck = pop 110
	alsocheck = connect 81
	tlsexpirywarn = 0
`

func TestAPlanHasEachCheckOfAServerOnce(t *testing.T) {
	built := 0
	p, found := planned(t, manyChecks, func(s checker.Spec) (checker.Checker, error) { built++; return neverChecked(s) })
	if found.HasErrors() {
		t.Fatal(found)
	}
	var got []string
	for _, c := range p.Checks()[:6] {
		got = append(got, c.Name+": "+shown(c.Spec))
	}
	const want = `http 80: Type=combined Service=http Protocol=tcp Connects=2 Target=10.2.0.1:80 Timeout=3s NegotiateTimeout=4s Request=/own URL=http://10.2.0.1:80/own Receive=strings HTTPMethod=GET FollowRedirect=yes
connect 81: Type=connect Protocol=tcp Target=10.2.0.1:81 Timeout=3s Attempts=1
https 443: Type=negotiate Service=https Protocol=tcp Target=10.2.0.1:443 NegotiateTimeout=4s Request=/health URL=https://10.2.0.1:443/health Receive=^well HTTPMethod=GET FollowRedirect=yes
ping: Type=ping Protocol=tcp Target=10.2.0.1:80 Timeout=3s Attempts=1
external: Type=external Protocol=tcp Target=10.2.0.1:80 Timeout=3s Command=/bin/true Args=[10.1.0.1 80 10.2.0.1 80]
pop 110: Type=negotiate Service=pop Protocol=tcp Target=10.2.0.1:110 NegotiateTimeout=4s Request=/ Passwd=pw`
	if text := strings.Join(got, "\n"); text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if built != 12 || len(p.Checks()) != 12 || len(p.tasks) != 12 {
		t.Errorf("there are %d checkers, %d checks and %d tasks", built, len(p.Checks()), len(p.tasks))
	}
	equal, _ := planned(t, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n\talsocheck = connect\n", neverChecked)
	if got := equal.Checks(); len(got) != 1 || got[0].Name != "connect" {
		t.Errorf("a server with two equal checks has %v", got)
	}
}

// A check that can't be made is an error at the line of its alsocheck, and a doubtful one a warning there.
func TestAFurtherCheckIsRefusedAtItsLine(t *testing.T) {
	p, found := planned(t, manyChecks, func(s checker.Spec) (checker.Checker, error) {
		if s.Service != "https" {
			return neverChecked(s)
		}
		return nil, &checker.SpecError{Directive: "receive", Err: fmt.Errorf("no pattern")}
	})
	if p != nil || len(found) != 1 || found[0].Pos != (parser.Position{File: "plan.cf", Line: 11, Column: 33}) {
		t.Errorf("refused: %v", found)
	}
	doubtful := "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n\talsocheck = dns 53\n"
	p, found = planned(t, doubtful, func(s checker.Spec) (checker.Checker, error) { return checker.New(s, &checker.Env{}) })
	if p == nil || len(found) != 1 || found[0].Severity != parser.Warning || found[0].Pos.Line != 4 {
		t.Errorf("a check that asks nothing: %v", found)
	}
}

func TestASnapshotShowsEachCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = "checkinterval = 1\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n" +
			"\tchecktype = connect\n\tfailurecount = 3\n\talsocheck = connect 81\n\talsocheck = https 443\n"
		s.start("one", false)
		time.Sleep(3 * time.Second)
		s.set(servers[0], "unjudged")
		s.set(otherPorts[0], "down")
		s.set(otherPorts[1], "short")
		time.Sleep(2 * time.Second)
		var got []string
		for _, server := range snapshotOf(t, s.director).Virtuals[0].Servers {
			got = append(got, fmt.Sprintf("%s %s %d %q %v", server.Real, server.State, server.Streak, server.Unjudged, server.Last.OK))
			for _, c := range server.Checks {
				got = append(got, fmt.Sprintf("%s %s %d %q %v", c.Name, c.State, c.Streak, c.Unjudged, c.Last.OK))
			}
		}
		const why = `"cannot be judged: matching took too long with /a/"`
		want := "10.2.0.1:80 up 2 \"connect 80: " + why[1:] + " false\nconnect 80 up 0 " + why + " true\nconnect 81 up 2 \"\" false\nhttps 443 up 0 \"\" true\n" +
			"10.2.0.2:80 up 0 \"\" true\nconnect 80 up 0 \"\" true\nconnect 81 up 0 \"\" true\nhttps 443 up 0 \"\" true"
		if text := strings.Join(got, "\n"); text != want {
			t.Errorf("got\n%s\nwant\n%s", text, want)
		}
		time.Sleep(2 * time.Second)
		if got := snapshotOf(t, s.director).Virtuals[0].Servers[0]; got.State != "down" || got.Reason != "connect 81: connect: refused" || got.Tally.Transitions != 1 {
			t.Errorf("%s for %q, after %d transitions", got.State, got.Reason, got.Tally.Transitions)
		}
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
	})
}

// A lasting shortage, such as a missing right to send pings, is not waited for. Otherwise a new daemon would be
// starting forever, and a running one would never send mail.
func TestAShortageThatLastsIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.noPings.Store(true)
		const file = "checkinterval = 1\nvirtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"
		s.configs["one"], s.configs["two"] = file, file+"\talsocheck = ping\n"
		s.start("two", false)
		for _, reload := range []string{"one", "two", "two"} {
			time.Sleep(1500 * time.Millisecond)
			s.step([]string{"reload", reload}, "")
			time.Sleep(4 * time.Second)
			if now := snapshotOf(t, s.director).Status; now != lvs.StatusRunning {
				t.Errorf("after a reload of %s it is %s", reload, now)
			}
		}
		select {
		case <-s.director.Settled():
		default:
			t.Error("the director never settles")
		}
		s.stop(nil)
		time.Sleep(time.Second) // checks in flight end
	})
}

// A monitorfile has a line for each check, with the name that the Perl ldirectord gives it.
func TestAMonitorfileHasALineForEachCheck(t *testing.T) {
	p, found := planned(t, manyChecks+"\tmonitorfile = mon\n", neverChecked)
	if found.HasErrors() {
		t.Fatal(found)
	}
	var ids []string
	d := New(Deps{Tell: []Receiver{Results(monitorfile.Lines(recordedIDs{&ids}.Record))}})
	v, s := p.virtuals[0], p.virtuals[0].servers[0]
	for j := &s.first; j != nil; j = j.next {
		d.tell.found(history.Nothing, &checker.Result{OK: true, Detail: "200 OK"}, user{v, s, j})
	}
	const want = `combined http tcp 10.2.0.1 80 1 gate /own strings
connect tcp 10.2.0.1 80 81 1 gate / 
negotiate https tcp 10.2.0.1 80 443 1 gate /health ^well
ping tcp 10.2.0.1 80 1 gate / 
external /bin/true tcp 10.2.0.1 80 1 gate / 
negotiate pop tcp 10.2.0.1 80 110 1 gate / `
	if got := strings.Join(ids, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

type recordedIDs struct{ ids *[]string }

func (r recordedIDs) Record(_, id string, _ bool, _ string) { *r.ids = append(*r.ids, id) }
