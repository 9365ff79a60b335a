package protocol

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// hangSpec is a check of a service, with a log-in where the service has one.
func hangSpec(service string, target netip.AddrPort) Spec {
	s := Spec{
		Type: "negotiate", Service: service, Protocol: "tcp", NegotiateTimeout: tooLate, Timeout: tooLate,
		Target: target, URL: strings.TrimSuffix(service, "_proxy") + "://" + target.String() + "/",
		Request: "/SELECT 1", Receive: "good",
		Account: settings.Account{Database: "db", Login: "monitor", Passwd: "password", Secret: "secret"},
	}
	if service == "dns" {
		s.Request = "/www.example.org"
	}
	if slices.Contains(overUDP, service) {
		s.Protocol = "udp"
	}
	return s
}

var (
	overUDP  = []string{"dns", "radius", "sip"}    // by themselves
	speakUDP = []string{"dns", "sip", "simpletcp"} // if they are told to
)

// Each service tells of a port at which nothing listens.
func TestClosedPorts(t *testing.T) {
	needsOracle(t)
	testkit.Leaks(t)
	for _, service := range Services() {
		for _, protocol := range []string{"tcp", "udp"} {
			for _, host := range []string{"127.0.0.1", "::1"} {
				s := hangSpec(service, closedPort(t, host))
				s.Protocol, s.NegotiateTimeout = protocol, inTime
				want := "down: connect: refused"
				switch {
				case service == "none":
					want = "up: service none"
				case service == "radius" || protocol == "udp" && slices.Contains(speakUDP, service):
					want = "down: udp: refused"
				}
				expect(t, checked(t, s), want, service, protocol, host)
			}
		}
	}
}

// In each stage of each protocol a server may hang. The result names that stage.
func TestAHangIsNamedByItsStage(t *testing.T) {
	needsOracle(t)
	testkit.Leaks(t)
	t.Run("checks", checkHangs)
}

func checkHangs(t *testing.T) {
	d := newDialogues(t, "../../testdata/checker/hangs.txt")
	made, unserved := map[string]bool{}, testkit.DeafAddr(t)
	d.plain["full port"] = say(fmt.Sprintf("229 x (|||%d|)", unserved.Port()))
	for _, row := range d.cases(strings.NewReplacer()) {
		made[row[0]] = true
		s, e := hanging(t, row[0], d.script(row[2]))
		apply(t, &s, row[1])
		hang(t, row[0], s, e, row[3])
	}
	for _, service := range Services() {
		if service == "none" || slices.Contains(overUDP, service) {
			continue
		}
		if !made[service] {
			t.Errorf("testdata/checker/hangs.txt has no row for %s", service)
		}
		hang(t, service+" not accepted", hangSpec(service, unserved), nil,
			"connect; ; connect: no answer in 400ms")
	}
}

// hanging is a check of a server that takes the steps and does nothing more, or of one that has no steps.
func hanging(t *testing.T, name string, steps script) (Spec, *Env) {
	service, stage, _ := strings.Cut(name, " ")
	switch {
	case name == "http search":
		return hangSpec(service, serve(t, page(slowText)).addr), &Env{Matching: hasty()}
	case service == "ping":
		return anySpec("ping"), &Env{Pinger: &fakePinger{errs: []error{os.ErrDeadlineExceeded}}}
	case service == "external":
		program := externalSpec(writeScript(t, "echo waiting; sleep 60"))
		program.Type = "external"
		return program, nil
	case stage == "silent":
		return hangSpec(service, serveDatagrams(t, "127.0.0.1", replies())), nil
	}
	return hangSpec(service, serveScript(t, "127.0.0.1", append(steps, stay)...)), nil
}

// hang makes a check that its deadline ends, and compares its stage, the stages that were done, and its message.
func hang(t *testing.T, name string, s Spec, e *Env, want string) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		cause := checker.Timeout
		if name == "http search" { // it proves nothing about the server
			cause = checker.Unjudged
		}
		var got string
		moreTime(tooLate, func(limit time.Duration) (Result, bool) {
			s.Timeout, s.NegotiateTimeout = limit, limit
			r, took := timed(t, build(t, s, e))
			if took > limit+spare || took < limit && r.Cause == checker.Timeout && e == nil {
				t.Errorf("took %v of %v", took, limit)
			}
			as := strings.NewReplacer(limit.String(), tooLate.String(),
				(limit / 2).String(), (tooLate / 2).String())
			got = fmt.Sprintf("%s; %s; %s", stageNames[r.Stage], reached(r.Stages), as.Replace(r.Detail))
			return r, got == want && !r.OK && r.Cause == cause
		}, func(r Result) { t.Errorf("%v, %s\nwant %s", r.Cause, got, want) })
	})
}
