package protocol

import (
	"errors"
	"net"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/settings"
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
		return Spec{Service: "simpletcp", Protocol: "tcp", Request: "/ignored", Receive: "ignored",
			Steps: conversationOf(lines...)}
	}
	mail := steps1(`expect ^220 `, "send HELO director\r\n", `expect ^250 `, "send QUIT\r\n")
	bytesOnly := steps1("send \x00\x01\xff\\\"\t\n", `expect ^\x00\xff`)
	const hello = "> HELO director"
	checkFakes(t, nil, []fakeCase{
		{"good", mail, steps("< 220 ready", hello, "< 250 hello", "> QUIT"), `up: got "250 "`},
		{"bytes", bytesOnly, steps(awaitBytes("\x00\x01\xff\\\"\t\n"), raw("\x00\xff"), ended),
			`up: got "\x00\xff"`},
		{"answers in one piece", mail, steps(raw("220 ready\r\n250 hello\r\n"), hello, "> QUIT"),
			`up: got "250 "`},
		{"answer in two pieces", mail,
			steps(raw("22"), raw("0 rea"), hello, raw("dy\r\n2"), raw("50 hello"), "> QUIT"),
			`up: got "250 "`},
		{"a later line", mail,
			steps(raw("banner\n220 ready\r\n"), hello, raw("news\n250 hello"), "> QUIT"),
			`up: got "250 "`},
		{"sends only", steps1("send a\r\n", "send b\r\n"), steps("> a", "> b", ended), "up: all sent"},
		{"what was matched counts no more", late(steps1("expect pong", "expect pong")),
			steps(raw("pong"), silent), "down: step 2: timeout waiting for /pong/"},
		{"not a match over the end of the last", late(steps1("expect abc", "expect cd")),
			steps(raw("abcd"), silent), `down: step 2: timeout waiting for /cd/: got "d"`},
		{"wrong greeting", late(mail), steps("< 554 no", silent),
			`down: step 1: timeout waiting for /^220 /: got "554 no\r\n"`},
		{"wrong greeting and closed", mail, steps("< 554 no\x1b"),
			`down: step 1: connection closed waiting for /^220 /: got "554 no\x1b\r\n"`},
		{"wrong answer", mail, steps("< 220 ready", hello, "< 550 no"),
			`down: step 3: connection closed waiting for /^250 /: got "ready\r\n550 no\r\n"`},
		{"silent after connect", late(mail), script{silent}, "down: step 1: timeout waiting for /^220 /"},
		{"slow drip", late(steps1("expect ^220 ")), script{drip(strings.Repeat("2", 100))},
			`down: step 1: timeout waiting for /^220 /: got "2*`},
		{"silent in the middle", late(mail), steps(raw("220 "), hello, silent),
			"down: step 3: timeout waiting for /^250 /"},
		{"closed at once", mail, script{}, "down: step 1: connection closed waiting for /^220 /"},
		{"reset", mail, steps(raw("220 "), hello, reset),
			"down: step 3: connection reset waiting for /^250 /"},
		{"endless line", mail, script{endless("221")},
			`down: step 1: no match for /^220 / in 16384 bytes: got "` + strings.Repeat("221", 20) + `"…`},
		{"endless lines", mail, script{endless("221 no\n")},
			`down: step 1: no match for /^220 / in 16384 bytes: got "` + strings.Repeat(`221 no\n`, 8) +
				`221 "…`},
	})
}

func TestSimpleTCPStepsOverUDP(t *testing.T) {
	spec := Spec{Service: "simpletcp", Protocol: "udp",
		Steps: conversationOf("send HELO", "expect ^250", "send QUIT", "expect ^221")}
	answers := map[string]string{"HELO": "250", "QUIT": "221"}
	server := func(_ int, packet []byte, _ net.Addr) []string {
		return []string{"", answers[string(packet)]}
	}
	checkDatagrams(t, []datagramCase{
		{"good", spec, server, `up: got "221"`},
		{"wrong answer", late(spec), replies("250"),
			`down: step 4: timeout waiting for /^221/: got "250"`},
		{"silent", late(spec), replies(), "down: step 2: timeout waiting for /^250/"},
		{"refused", spec, nil, "down: step 2: waiting for /^250/: refused"},
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
