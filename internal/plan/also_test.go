package plan

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

func TestAPlanHasEachCheckOfAServerOnce(t *testing.T) {
	made := 0
	p, found := planned(t, testkit.ManyChecks,
		func(s checker.Spec) (checker.Checker, error) { made++; return neverChecked(s) })
	if found.HasErrors() {
		t.Fatal(found)
	}
	var got []string
	for _, c := range p.ChecksOf("", "")[:6] {
		got = append(got, c.Name+": "+shown(c.Spec))
	}
	want := `http 80: Type=combined Service=http Protocol=tcp Connects=2 Target=10.2.0.1:80
	Timeout=3s NegotiateTimeout=4s Request=/own URL=http://10.2.0.1:80/own Receive=strings
	HTTPMethod=GET FollowRedirect=yes
connect 81: Type=connect Protocol=tcp Target=10.2.0.1:81 Timeout=3s Attempts=1
https 443: Type=negotiate Service=https Protocol=tcp Target=10.2.0.1:443 NegotiateTimeout=4s
	Request=/health URL=https://10.2.0.1:443/health Receive=^well HTTPMethod=GET FollowRedirect=yes
ping: Type=ping Protocol=tcp Target=10.2.0.1:80 Timeout=3s Attempts=1
external: Type=external Protocol=tcp Target=10.2.0.1:80 Timeout=3s Command=/bin/true Args=10.1.0.1,80,10.2.0.1,80
pop 110: Type=negotiate Service=pop Protocol=tcp Target=10.2.0.1:110 NegotiateTimeout=4s Request=/ Passwd=pw`
	testkit.Equal(t, strings.Join(got, "\n"), strings.ReplaceAll(want, "\n\t", " "))
	if made != 12 || len(p.ChecksOf("", "")) != 12 || len(p.Tasks) != 12 {
		t.Errorf("there are %d checkers, %d checks and %d tasks", made, len(p.ChecksOf("", "")), len(p.Tasks))
	}
	equal, _ := planned(t, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"+
		"\talsocheck = connect\n", neverChecked)
	if got := equal.ChecksOf("", ""); len(got) != 1 || got[0].Name != "connect" {
		t.Errorf("a server with two equal checks has %v", got)
	}
}

// A check that can't be made is an error at the line of its alsocheck, and a doubtful one a warning there.
func TestAFurtherCheckIsRefusedAtItsLine(t *testing.T) {
	p, found := planned(t, testkit.ManyChecks, func(s checker.Spec) (checker.Checker, error) {
		if s.Service != "https" {
			return neverChecked(s)
		}
		return nil, &checker.SpecError{Directive: "receive", Err: fmt.Errorf("no pattern")}
	})
	if p != nil || len(found) != 1 || found[0].Pos != (parser.Position{File: "plan.cf", Line: 11, Column: 33}) {
		t.Errorf("refused: %v", found)
	}
	doubtful := "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n\talsocheck = dns 53\n"
	p, found = planned(t, doubtful, built)
	if p == nil || len(found) != 1 || found[0].Severity != parser.Warning || found[0].Pos.Line != 4 {
		t.Errorf("a check that asks nothing: %v", found)
	}
}

// No two checks of a server have one name: those of one kind and port are numbered, those of a checkdef have its name.
func TestChecksOfAServerHaveNamesOfTheirOwn(t *testing.T) {
	p, found := planned(t, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tservice = http\n"+
		"\talsocheck = http 80 \"a\"\n"+
		"\talsocheck = login\n\talsocheck = http 81\ncheckdef = login\n\tservice = http\n"+
		"\trequest = \"login\"\n", neverChecked)
	if len(found) > 0 {
		t.Fatal(found)
	}
	var names []string
	for _, c := range p.ChecksOf("", "") {
		names = append(names, c.Name)
	}
	testkit.Equal(t, strings.Join(names, ", "), "http 80 #1, http 80 #2, login, http 81")
}
