package protocol

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// refusedHandshake is the error when a server answers with the alert handshake_failure (RFC 8446, section 6).
func refusedHandshake() error {
	return havingSaid(strings.NewReader("\x15\x03\x03\x00\x02\x02\x28")).OpenTLS(
		&tls.Config{InsecureSkipVerify: true})
}

func TestEachFailureHasItsCause(t *testing.T) {
	is := func(err error, cause checker.Cause) {
		t.Helper()
		r := failed(err)
		testkit.Equal(t, r.Cause, cause, err)
		testkit.Equal(t, r.OK, false, err)
	}
	errnos, causes := map[string]syscall.Errno{}, map[string]checker.Cause{}
	for n := range syscall.Errno(200) {
		errnos[unix.ErrnoName(n)] = n
	}
	for c := range checker.Causes {
		causes[c.String()] = c
	}
	for _, row := range testkit.Table(t, "../../testdata/checker/causes.txt", 2) {
		for name := range strings.FieldsSeq(row[1]) {
			errno, known := errnos[name]
			testkit.Equal(t, known, true, name)
			err := os.NewSyscallError("connect", errno)
			is(wire.StageFault("connect", &net.OpError{Op: "dial", Err: err}), causes[row[0]])
		}
	}
	is(errors.New("status 500, want 2xx"), checker.Answer)
	is(net.ErrClosed, checker.Answer)
	is(wire.StageFault("greeting", errors.New("not SMTP")), checker.Answer)
	is(wire.StageFault("connect", context.DeadlineExceeded), checker.Timeout)
	is(os.ErrDeadlineExceeded, checker.Timeout)
	is(wire.NewFault(&net.DNSError{Err: "no such host", IsNotFound: true}, "look-up"), checker.Lookup)
	is(wire.NewFault(tls.RecordHeaderError{}, "no TLS"), checker.TLS)
	is(refusedHandshake(), checker.TLS)
	is(wire.ErrStopped, checker.Shortage)
	is(wire.StageFault("connect", os.ErrNoDeadline), checker.Shortage)
	is(&net.DNSError{Err: "late", IsTimeout: true}, checker.Shortage)
}

func TestProgramsFailByTheirStatusOrInTime(t *testing.T) {
	for _, test := range []struct {
		command string
		timeout time.Duration
		want    checker.Cause
	}{
		{"/bin/false", time.Minute, checker.Program},
		{"/no/such/program", time.Minute, checker.Program},
		{"/bin/sleep 99", 50 * time.Millisecond, checker.Timeout},
	} {
		c := &external{argv: strings.Fields(test.command), timeout: test.timeout, latest: 2 * time.Minute}
		c.run = c.runProgram
		if r := c.Check(t.Context()); r.OK || r.Cause != test.want {
			t.Errorf("%s: %+v, want %v", test.command, r, test.want)
		}
	}
}

// stageNames are the stages of a failure in their order.
var stageNames = [...]string{"start", "connect", "TLS", "login", "answer", "match"}

func TestAFailureNamesItsStage(t *testing.T) {
	d := newDialogues(t, "../../testdata/checker/stages.txt")
	for _, row := range d.cases(strings.NewReplacer()) {
		t.Run(row[0], func(t *testing.T) {
			t.Parallel()
			s := Spec{Type: "negotiate", Target: closedPort(t, "127.0.0.1"), NegotiateTimeout: tooLate}
			if row[2] != "" {
				s.Target = serveScript(t, "127.0.0.1", d.script(row[2])...)
			}
			apply(t, &s, row[1])
			if r := checked(t, s); r.OK || stageNames[r.Stage] != row[3] {
				t.Errorf("stage %d, want %s: %+v", r.Stage, row[3], r)
			}
		})
	}
}
