package protocol

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
)

// fakeOracle makes a check with a script instead of ldirectord-oracle. The server sends one packet.
func fakeOracle(t *testing.T, script string, limit time.Duration) Result {
	t.Helper()
	s := goodOracle
	s.NegotiateTimeout = limit
	s.Target = serve(t, heedless(tns(11, ""))).addr
	c := build(t, s, nil)
	of, _ := checker.As[*oracleCheck](c)
	of.argv[0] = script
	if !strings.HasPrefix(script, "/") {
		of.argv[0] = writeScript(t, "#!/bin/sh\n"+script+"\n")
	}
	return c.Check(t.Context())
}

// talked is the beginning of a script: it asks for a connection and waits for the first bytes of the server.
const talked = `printf '\0\0' >&3; head -c 8 <&3 >/dev/null; `

// Without an answer of the program the server keeps its state, whatever the program did. One that hangs is killed. A
// server that was silent meanwhile is not at fault: it may wait for the program.
func TestOracleWithoutAnAnswerIsAShortage(t *testing.T) {
	testkit.Rows(t, "../../testdata/checker/oracleprogram.txt", 4, func(t *testing.T, row []string) {
		testkit.Leaks(t)
		script := strings.ReplaceAll(row[1], "{talked}", talked)
		limit := map[string]time.Duration{"": patient, "hangs": 2 * short}[row[3]]
		expect(t, fakeOracle(t, script, limit), "shortage: "+row[2])
	})
}

// The program's answer is the result, provided that it had talked to the server.
func TestOracleTakesTheAnswer(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/checker/oracleanswers.txt", 4) {
		r := fakeOracle(t, talked+"echo '{"+row[0]+"}'", patient)
		expect(t, r, row[3], row[0])
		testkit.Equal(t, stageNames[r.Stage], row[1], row[0])
		testkit.Equal(t, causeName(r), row[2], row[0])
	}
}

// When the server's answer crashes the program, the check fails, as with every protocol. The message names the place
// of the crash.
func TestOracleThatCrashes(t *testing.T) {
	needsOracle(t)
	s := goodOracle
	s.Target = serve(t, listener(tns(4, ""))).addr
	r := checked(t, s)
	const where = "a fault in ldirectord-oracle: panic at "
	if r.OK || r.Cause != checker.Other || !strings.HasPrefix(r.Warning, where) ||
		r.Detail != "panic while handling the answer: invalid memory address or nil pointer dereference" ||
		!strings.Contains(r.Warning, "refuse_packet.go:") {
		t.Errorf("%+v", r)
	}
}

// Other users can read the arguments and the environment of a process.
func TestOracleIsToldNoSecretInItsArguments(t *testing.T) {
	terms := filepath.Join(t.TempDir(), "told")
	fakeOracle(t, "cat /proc/$$/cmdline /proc/$$/environ >"+terms+"; exit 1", patient)
	text, err := os.ReadFile(terms)
	if err != nil || len(text) == 0 || strings.Contains(string(text), goodOracle.Passwd) ||
		strings.Contains(string(text), "c2VjcmV0") {
		t.Errorf("%v: %q", err, text)
	}
}

// When the maximum of programs run already, another one waits, as an external check does.
func TestOraclesAreBounded(t *testing.T) {
	s := goodOracle
	s.Target = testkit.FreeAddr(t)
	e := &Env{Children: NewChildren(1)}
	e.Children.slots <- struct{}{}
	c := testkit.Must(newOracle(s, e, ""))(t).(*oracleCheck)
	testkit.Equal(t, checker.ProgramsOf(c), 1, "programs at once")
	c.latest = short
	expect(t, c.Check(t.Context()), "shortage: "+errCrowded.Error())
}
