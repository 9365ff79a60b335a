package protocol

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/health"
	"ldirectord/internal/testkit"
)

func agentSpec(to netip.AddrPort) Spec {
	return Spec{Type: checker.Agent, Protocol: "tcp", Target: to, Timeout: inTime}
}

// An agent check fails only at the words down, fail and stopped, whatever else the agent does. It never takes longer
// than its timeout.
func TestAgents(t *testing.T) {
	d := newDialogues(t, "../../testdata/checker/agents.txt")
	for _, row := range d.cases(strings.NewReplacer()) {
		for _, way := range []string{"goroutine", "loop"} {
			t.Run(row[0]+", "+way, func(t *testing.T) {
				t.Parallel()
				spec := agentSpec(serveScript(t, "127.0.0.1", d.script(row[2])...))
				apply(t, &spec, row[1])
				isLate := spec.NegotiateTimeout == tooLate
				if isLate {
					spec.Timeout = tooLate
				}
				check := testkit.Must(New(spec, nil))(t)
				if way == "loop" {
					check = looped{check}
				}
				r, took := timed(t, check)
				judgeAgent(t, r, row[3])
				if !isLate && took > inTime/2 || isLate && took < spec.Timeout {
					t.Errorf("took %v", took)
				}
			})
		}
	}
	refused := build(t, agentSpec(closedPort(t, "127.0.0.1")), nil)
	for _, check := range []Checker{refused, looped{refused}} {
		judgeAgent(t, check.Check(t.Context()), "silent: connect: refused")
	}
}

// judgeAgent compares how a result begins: the message, and before it the cause of a failure.
func judgeAgent(t *testing.T, r Result, want string) {
	t.Helper()
	got := r.Detail
	if r.Silence(); !r.OK { // with a light check the loop makes the connection
		got = r.Cause.String() + ": " + got
	}
	if !strings.HasPrefix(got, want) || r.Report.Silent != (r.Cause == checker.Silent) ||
		!r.OK && !r.Report.Silent && r.Report.State != health.Down {
		t.Errorf("%q, want %q: %+v", got, want, r)
	}
}

// pieces sends more pieces than a light check may have before it gets a goroutine.
func pieces(text string) step {
	return func(c *client) bool {
		for _, b := range []byte(text) {
			c.Write([]byte{b})
			time.Sleep(5 * time.Millisecond)
		}
		return true
	}
}

// Checks of agents that send byte by byte get no goroutine, however many agents there are.
func TestSlowAgentsCostNoGoroutine(t *testing.T) {
	const agents = 20
	spec := agentSpec(serveScript(t, "127.0.0.1", drip(strings.Repeat("5", 250))))
	spec.Timeout = 4 * tooLate
	checks := make([]Timed, agents)
	for i := range checks {
		checks[i] = Timed{time.Minute, build(t, spec, nil)}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	late, most := 0, 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		RunPool(ctx, checks, func(_ int, r Result) {
			if late++; late == agents {
				cancel()
			}
			testkit.Equal(t, r.Detail, "timeout in the line")
		})
	}()
	for look := time.NewTicker(tooLate / 8); ; {
		select {
		case <-done:
			if look.Stop(); late != agents || most > 1 { // one: the loop, while it reads an answer
				t.Errorf("%d results, %d goroutines of checks", late, most)
			}
			return
		case <-look.C:
			most = max(most, strings.Count(strings.Join(testkit.Goroutines(), "\n"), "checker.(*agent)"))
		}
	}
}

// An answer takes a bounded amount of memory even in the largest number of pieces.
func TestAnAgentsAnswerInPiecesAllocatesLittle(t *testing.T) {
	c := build(t, agentSpec(netip.MustParseAddrPort("127.0.0.1:9")), nil).(checker.Light)
	line := []byte(strings.Repeat("5", maxAgentLine))
	of := func(n int) float64 {
		return testing.AllocsPerRun(100, func() {
			part := wire.Received{Head: line[:n]}
			c.Resume(t.Context(), &wire.Conn{Conn: &part})
		})
	}
	if few, many := of(1), of(maxAgentLine-1); many > few {
		t.Errorf("%v allocations for a byte, %v for %d", few, many, maxAgentLine-1)
	}
}

func FuzzAgent(f *testing.F) {
	for _, text := range []string{"up 50% ready #fine\n", "drain,maint\tdown\r\n", "99999999999999999999%\n",
		"100%%\n", "\x00", "maxconn:5 #\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		check := fuzz(t)
		c := build(t, agentSpec(netip.MustParseAddrPort("127.0.0.1:9")), nil).(checker.Light)
		part := wire.Received{Head: text, Err: net.ErrClosed}
		r := c.Resume(t.Context(), &wire.Conn{Conn: &part})
		check.result(r)
		line, _, whole := strings.Cut(strings.ReplaceAll(string(text[:min(len(text), maxAgentLine)]), "\r",
			"\n"), "\n")
		switch report := r.Report; {
		case report.Percent > 100, report.Silent && report != health.Report{Silent: true},
			report.Silent == r.Conclusive():
			t.Errorf("%q: %+v", text, r)
		case !report.Silent && (!whole || strings.Contains(line, "\x00")):
			t.Errorf("%q is no line, and counts: %+v", text, r)
		case !report.Silent && r.OK != (report.State != health.Down):
			t.Errorf("%q: %+v", text, r)
		}
		testkit.Contains(t, strings.ToLower(line), r.Report.Admin.String(), text, "tells")
	})
}

// A status of drainstatus reports drain, and receive isn't looked at. Every other check that passes reports ready.
func TestDrainStatus(t *testing.T) {
	testkit.Leaks(t)
	answer := func(said string) string {
		status, body, _ := strings.Cut(said, " ")
		return fmt.Sprintf("HTTP/1.1 %s Whatever\r\nLocation: /there\r\nContent-Length: %d\r\n\r\n%s", status,
			len(body), body)
	}
	for said, want := range map[string]string{ // 302: the redirect is not followed
		"200 OK-perf": "ready", "200 bad": "", "503 bad": "drain", "302 ": "drain", "429 ": "drain",
		"500 OK-perf": "",
	} {
		s := serve(t, saying(answer(said)))
		spec := httpSpec(s.addr, "OK-perf")
		spec.DrainStatus = "302-303,429,503"
		for _, kind := range []string{"negotiate", "combined"} {
			spec.Type, spec.Timeout = kind, inTime
			check := build(t, spec, nil)
			for _, check := range []Checker{check,
				looped{check}}[:map[string]int{"negotiate": 2, "combined": 1}[kind]] {
				r := check.Check(t.Context())
				testkit.Equal(t, r.Report.Admin.String(), want, kind, said)
				if r.OK != (want != "") || r.Report != (health.Report{Admin: r.Report.Admin}) ||
					len(s.asked()) > 3 {
					t.Errorf("%s %s: %+v", kind, said, r)
				}
			}
		}
	}
	s := serve(t, saying(answer("200 OK-perf")))
	if r := checked(t, httpSpec(s.addr, "OK-perf")); !r.OK || r.Report != (health.Report{}) {
		t.Errorf("without drainstatus: %+v", r)
	}
}

// A status that another server sends at the end of a redirect reports nothing about this server.
func TestDrainStatusOfAnotherServer(t *testing.T) {
	other := serveOn(t, "127.0.0.2:0", saying("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
	s := serve(t, saying("HTTP/1.1 301 There\r\nLocation: http://"+other.addr.String()+"/\r\n\r\n"))
	spec := httpSpec(s.addr, "")
	spec.DrainStatus, spec.FollowRedirect = "503", "yes"
	if r := checked(t, spec); r.OK || r.Report != (health.Report{}) {
		t.Errorf("%+v", r)
	}
}

// With externalweight an exit status from 2 to 102 is a weight. A program that was killed, or a Perl file that died,
// gives no weight.
func TestExternalWeight(t *testing.T) {
	f := newPerlFile(t, `$! = 30; eval $ARGV[2]; die $@ if $@; exit 0`)
	for _, row := range testkit.Table(t, "../../testdata/checker/weights.txt", 4) {
		for column, weighs := range map[int]bool{2: true, 3: false} {
			spec := externalSpec(f.path)
			if spec.Type = row[0]; spec.Type == "external" {
				spec.Command = writeScript(t, "#!/bin/sh\necho said; "+row[1]+"\n")
			}
			spec.Weighs, spec.Args = weighs, "a\x00b\x00"+row[1]+"\x00"
			judgeWeight(t, build(t, spec, f.env).Check(t.Context()), row[column])
		}
	}
	spec := externalSpec(writeScript(t, "#!/bin/sh\ntrap 'exit 50' TERM\nsleep 60 & wait\n"))
	spec.Timeout, spec.Weighs = tooLate, true
	judgeWeight(t, checked(t, spec), "down: did not end in")
	spec.Type, spec.Command, spec.Timeout = "external-perl", "/does/not/exist", patient
	judgeWeight(t, build(t, spec, f.env).Check(t.Context()), "down: exit status")
}

// judgeWeight compares how a result begins.
func judgeWeight(t *testing.T, r Result, want string) {
	t.Helper()
	got := map[bool]string{true: "up", false: "down"}[r.OK]
	if r.Report != (health.Report{}) {
		testkit.Equal(t, r.Report, health.Report{Weighs: true, Percent: r.Report.Percent}, want)
		got += fmt.Sprintf(" %d%%", r.Report.Percent)
	}
	if got += ": " + r.Detail; !strings.HasPrefix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
