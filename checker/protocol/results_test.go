package protocol

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// refusedHandshake is the error when a server answers with the alert handshake_failure (RFC 8446, section 6).
func refusedHandshake() error {
	return havingSaid(strings.NewReader("\x15\x03\x03\x00\x02\x02\x28")).OpenTLS(
		&tls.Config{InsecureSkipVerify: true})
}

func TestEachFailureHasItsCause(t *testing.T) {
	connect := func(errno syscall.Errno) error {
		return wire.StageFault("connect", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)})
	}
	for want, errs := range map[checker.Cause][]error{
		checker.Answer: {errors.New("status 500, want 2xx"), net.ErrClosed,
			wire.StageFault("greeting", errors.New("not SMTP"))},
		checker.Timeout: {wire.StageFault("connect", context.DeadlineExceeded), connect(syscall.ETIMEDOUT),
			os.ErrDeadlineExceeded},
		checker.Refused:     {connect(syscall.ECONNREFUSED)},
		checker.Closed:      {connect(syscall.ECONNRESET), connect(syscall.EPIPE)},
		checker.Unreachable: {connect(syscall.EHOSTUNREACH), connect(syscall.ENETUNREACH)},
		checker.Lookup: {wire.NewFault(&net.DNSError{Err: "no such host", IsNotFound: true}, "look-up"),
			&net.DNSError{Err: "late", IsTimeout: true}},
		checker.TLS: {wire.NewFault(tls.RecordHeaderError{}, "no TLS"), refusedHandshake()},
		checker.Shortage: {connect(syscall.EMFILE), connect(syscall.EADDRNOTAVAIL), wire.ErrStopped,
			connect(syscall.ENFILE), connect(syscall.ENOMEM), connect(syscall.ENOBUFS),
			connect(syscall.EPERM)},
		checker.Other: {connect(syscall.EACCES)},
	} {
		for _, err := range errs {
			r := failed(err)
			testkit.Equal(t, r.Cause, want, err)
			testkit.Equal(t, r.OK, false, err)
		}
	}
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

func TestAFailureNamesItsStage(t *testing.T) {
	pop := Spec{Service: "pop", Account: monitor}
	secured := Spec{Service: "pop", StartTLS: true}
	page := "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
	for name, c := range map[string]struct {
		spec   Spec
		server script // nil: the port is closed
		want   wire.Stage
	}{
		"nothing to ask":       {Spec{Service: "radius"}, nil, wire.AtStart},
		"refused":              {pop, nil, wire.AtConnect},
		"no TLS":               {Spec{Service: "tls"}, steps("< +OK ready", silent), wire.AtTLS},
		"no STARTTLS":          {secured, steps("< +OK ready", "> STLS", "< -ERR", silent), wire.AtTLS},
		"not ready":            {pop, steps("< -ERR", silent), wire.AtAnswer},
		"silent in the log-in": {pop, steps("< +OK ready", silent), wire.AtLogin},
		"wrong user":           {pop, steps("< +OK ready", "> USER monitor", "< -ERR", silent), wire.AtLogin},
		"log-in of a library": {Spec{Service: "redis", Account: settings.Account{Passwd: "secret"}},
			steps("< -WRONGPASS no", silent),
			wire.AtLogin},
		"query of a library": {Spec{Service: "redis"}, steps("< -LOADING wait", silent), wire.AtAnswer},
		"status": {Spec{Service: "http", URL: "http://x/"},
			script{raw("HTTP/1.0 503 No\r\n\r\n")}, wire.AtAnswer},
		"no match": {Spec{Service: "http", URL: "http://x/", Receive: "right"},
			script{raw(page), silent}, wire.AtMatch},
		"dns without receive": {Spec{Service: "dns", Request: "/name"}, nil, wire.AtMatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.spec
			s.Type, s.Target, s.NegotiateTimeout = "negotiate", closedPort(t, "127.0.0.1"), tooLate
			if c.server != nil {
				s.Target = serveScript(t, "127.0.0.1", c.server...)
			}
			if s.URL != "" {
				s.URL = "http://" + s.Target.String() + "/"
			}
			if r := checked(t, s); r.OK || r.Stage != c.want {
				t.Errorf("stage %d, want %d: %+v", r.Stage, c.want, r)
			}
		})
	}
}

// By the stage a monitorfile shows whether a success of combined was a connect or a full check.
func TestASuccessNamesHowFarItWent(t *testing.T) {
	addr := serveHTTP(t, nil, http.NotFound)
	s := httpSpec(addr, "")
	s.Type, s.Connects, s.Timeout = "combined", 1, patient
	s.HTTPStatus = "404"
	c := build(t, s, nil)
	for _, want := range []wire.Stage{wire.AtMatch, wire.AtConnect} {
		if r := c.Check(t.Context()); !r.OK || r.Stage != want {
			t.Errorf("stage %d, want %d: %+v", r.Stage, want, r)
		}
	}
}
