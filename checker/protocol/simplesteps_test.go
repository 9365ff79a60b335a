package protocol

import (
	"errors"
	"net"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// awaitBytes reads exactly these bytes.
func awaitBytes(want string) step {
	return func(c *client) bool {
		got := make([]byte, len(want))
		for n := 0; n < len(got); {
			more, err := c.read.Read(got[n:])
			if n += more; err != nil {
				got = got[:n]
				break
			}
		}
		if string(got) != want {
			c.t.Errorf("the server received %q, want %q", got, want)
			return false
		}
		return true
	}
}

// conversationOf makes a dialogue of lines "send TEXT" and "expect REGEX".
func conversationOf(lines ...string) checker.List[settings.Step] {
	var steps []settings.Step
	for _, line := range lines {
		word, text, _ := strings.Cut(line, " ")
		steps = append(steps, settings.Step{Send: word == "send", Text: text})
	}
	return checker.ListOf(steps...)
}

func TestSimpleTCPSteps(t *testing.T) {
	steps1 := func(lines ...string) Spec {
		return Spec{Service: "simpletcp", Protocol: "tcp", Request: "/ignored", Receive: "ignored", Steps: conversationOf(lines...)}
	}
	mail := steps1(`expect ^220 `, "send HELO director\r\n", `expect ^250 `, "send QUIT\r\n")
	bytesOnly := steps1("send \x00\x01\xff\\\"\t\n", `expect ^\x00\xff`)
	awaitHello := await("HELO director")
	checkFakes(t, []fakeCase{
		{name: "good", spec: mail, server: steps(say("220 ready"), awaitHello, say("250 hello"), await("QUIT")), up: true, detail: `got "250 "`},
		{name: "good over IPv6", spec: mail, ipv6: true, server: steps(say("220 ready"), awaitHello, say("250 hello"), await("QUIT")), up: true, detail: `got "250 "`},
		{name: "bytes", spec: bytesOnly, server: steps(awaitBytes("\x00\x01\xff\\\"\t\n"), raw("\x00\xff"), ended), up: true, detail: `got "\x00\xff"`},
		{name: "answers in one piece", spec: mail, server: steps(raw("220 ready\r\n250 hello\r\n"), awaitHello, await("QUIT")), up: true, detail: `got "250 "`},
		{name: "answer in two pieces", spec: mail, server: steps(raw("22"), raw("0 rea"), awaitHello, raw("dy\r\n2"), raw("50 hello"), await("QUIT")), up: true, detail: `got "250 "`},
		{name: "a later line", spec: mail, server: steps(raw("banner\n220 ready\r\n"), awaitHello, raw("news\n250 hello"), await("QUIT")), up: true, detail: `got "250 "`},
		{name: "sends only", spec: steps1("send a\r\n", "send b\r\n"), server: steps(await("a"), await("b"), ended), up: true, detail: "all sent"},
		{name: "what was matched counts no more", spec: steps1("expect pong", "expect pong"), server: steps(raw("pong"), silent), late: true, detail: "step 2: timeout waiting for /pong/"},
		{name: "not a match over the end of the last", spec: steps1("expect abc", "expect cd"), server: steps(raw("abcd"), silent), late: true, detail: `step 2: timeout waiting for /cd/: got "d"`},
		{name: "wrong greeting", spec: mail, server: steps(say("554 no"), silent), late: true, detail: `step 1: timeout waiting for /^220 /: got "554 no\r\n"`},
		{name: "wrong greeting and closed", spec: mail, server: steps(say("554 no\x1b")), detail: `step 1: connection closed waiting for /^220 /: got "554 no\x1b\r\n"`},
		{name: "wrong answer", spec: mail, server: steps(say("220 ready"), awaitHello, say("550 no")), detail: `step 3: connection closed waiting for /^250 /: got "ready\r\n550 no\r\n"`},
		{name: "silent after connect", spec: mail, server: []step{silent}, late: true, detail: "step 1: timeout waiting for /^220 /"},
		{name: "silent in the middle", spec: mail, server: steps(raw("220 "), awaitHello, silent), late: true, detail: "step 3: timeout waiting for /^250 /"},
		{name: "closed at once", spec: mail, server: []step{}, detail: "step 1: connection closed waiting for /^220 /"},
		{name: "reset", spec: mail, server: steps(raw("220 "), awaitHello, reset), detail: "step 3: connection reset waiting for /^250 /"},
		{name: "refused", spec: mail, detail: "connect: refused"},
		{name: "refused over IPv6", spec: mail, ipv6: true, detail: "connect: refused"},
		{name: "endless line", spec: mail, server: []step{endless("221")}, detail: `step 1: no match for /^220 / in 16384 bytes: got "` + strings.Repeat("221", 20) + `"…`},
		{name: "endless lines", spec: mail, server: []step{endless("221 no\n")}, detail: `step 1: no match for /^220 / in 16384 bytes: got "` + strings.Repeat(`221 no\n`, 8) + `221 "…`},
	})
}

func TestSimpleTCPStepsOfASlowServer(t *testing.T) {
	testkit.Leaks(t)
	s := Spec{Type: "negotiate", Service: "simpletcp", NegotiateTimeout: tooLate, Steps: conversationOf("expect ^220 ")}
	s.Target = serveScript(t, "127.0.0.1", nil, drip(strings.Repeat("2", 100)))
	want := `step 1: timeout waiting for /^220 /: got "2`
	if r, took := timed(t, build(t, s, nil)); r.OK || !strings.HasPrefix(r.Detail, want) || took > tooLate+late {
		t.Errorf("%+v after %v, want %s", r, took, want)
	}
}

func TestSimpleTCPStepsOverUDP(t *testing.T) {
	spec := Spec{Service: "simpletcp", Protocol: "udp", Steps: conversationOf("send HELO", "expect ^250", "send QUIT", "expect ^221")}
	answers := map[string]string{"HELO": "250", "QUIT": "221"}
	server := func(_ int, packet []byte, _ net.Addr) []string {
		return []string{"", answers[string(packet)]}
	}
	checkDatagrams(t, []datagramCase{
		{name: "good", spec: spec, server: server, up: true, detail: `got "221"`},
		{name: "good over IPv6", spec: spec, ipv6: true, server: server, up: true, detail: `got "221"`},
		{name: "wrong answer", spec: spec, server: func(int, []byte, net.Addr) []string { return []string{"250"} }, late: true, detail: `step 4: timeout waiting for /^221/: got "250"`},
		{name: "silent", spec: spec, server: func(int, []byte, net.Addr) []string { return nil }, late: true, detail: "step 2: timeout waiting for /^250/"},
		{name: "refused", spec: spec, detail: "step 2: waiting for /^250/: refused"},
	})
}

func TestAnExpectationMustBeAPattern(t *testing.T) {
	s := anySpec("negotiate")
	s.Service, s.Steps = "simpletcp", conversationOf("expect a(b")
	_, err := New(s, nil)
	var spec *checker.SpecError
	if want := "expect: unmatched (, at character 2 of the pattern"; !errors.As(err, &spec) || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
