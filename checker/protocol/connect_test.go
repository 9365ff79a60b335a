package protocol

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

func connectSpec(to netip.AddrPort) Spec {
	return Spec{Type: "connect", Protocol: "tcp", Target: to, Timeout: patient, Attempts: 1}
}

func TestConnect(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			testkit.Leaks(t)
			said := make(chan int, 1)
			s := serveOn(t, addr, func(s *testServer, c net.Conn) {
				n, _ := c.Read(make([]byte, 1))
				said <- n
			})
			for _, protocol := range []string{"tcp", "fwm"} {
				spec := connectSpec(s.addr)
				spec.Protocol = protocol
				passes(t, spec)
				testkit.Equal(t, <-said, 0, protocol, "bytes sent")
			}
		})
	}
}

func TestConnectRefused(t *testing.T) {
	testkit.Leaks(t)
	r := checked(t, connectSpec(testkit.FreeAddr(t)))
	expect(t, r, "down: connect: refused")
	testkit.Equal(t, r.Cause, checker.Refused)
}

func TestConnectToServerThatDoesNotAnswer(t *testing.T) {
	testkit.Leaks(t)
	spec := connectSpec(testkit.DeafAddr(t))
	spec.Timeout = short
	r, took := timed(t, build(t, spec, nil))
	expect(t, r, "down: connect: no answer in 150ms")
	if took < short || took > short+slack {
		t.Errorf("took %v", took)
	}
}

func TestOurShortageIsNotTheServersFailure(t *testing.T) {
	s := serve(t, silence)
	c := build(t, connectSpec(s.addr), nil)
	named := httpSpec(s.addr, "")
	named.URL = "http://www.example.test/"
	h := build(t, named, nil)
	testkit.WithoutDescriptors(t, func() {
		expect(t, c.Check(t.Context()), "shortage: connect: too many open files")
		expect(t, h.Check(t.Context()), "shortage: look-up of www.example.test failed: too many open files")
	})
	resolver := net.DefaultResolver
	defer func() { net.DefaultResolver = resolver }()
	net.DefaultResolver = &net.Resolver{Dial: func(context.Context, string, string) (net.Conn, error) {
		return unsent{new(net.UDPConn)}, nil
	}}
	expect(t, h.Check(t.Context()), "shortage: look-up of www.example.test failed: operation not permitted")
}

// unsent is a connection whose datagrams a firewall of this machine drops.
type unsent struct{ *net.UDPConn }

func (unsent) Write([]byte) (int, error) { return 0, syscall.EPERM }

func TestFailuresOfAStageSayWhatFailed(t *testing.T) {
	for err, want := range map[error]string{
		&net.OpError{Op: "dial", Err: os.NewSyscallError("connect",
			syscall.EHOSTUNREACH)}: "connect: no route to host",
		&os.PathError{Op: "read", Path: "tcp",
			Err: syscall.ECONNRESET}: "connect: reset by the server",
		&os.PathError{Op: "read", Path: "tcp", Err: os.ErrDeadlineExceeded}: "connect: timeout",
		errors.New("odd\nthing\x1b"):                                        `connect: odd\nthing\x1b`,
	} {
		testkit.Equal(t, wire.StageFault("connect", err).Error(), want)
	}
}

func TestCombinedMakesFullChecksAndConnectsInTurn(t *testing.T) {
	c := &combined{connects: 2}
	results := map[string]Result{"up": {OK: true}, "down": {}, "shortage": {Cause: checker.Shortage}}
	for i, row := range testkit.Table(t, "../../testdata/checker/combined.txt", 3) {
		full, connect := given{results[row[0]]}, given{results[row[1]]}
		c.full, c.connect = &full, &connect
		programs := checker.ProgramsOf(&same{Checker: c})
		r, is := c.Check(t.Context()), map[string]int{"full": 0, "connect": 1}[row[2]]
		if r != results[row[is]] || len(full) != is || len(connect) != 1-is {
			t.Errorf("step %d: %+v, want that of the %s", i, r, row[2])
		}
		testkit.Equal(t, programs, 1-is, "programs at once, in step", i)
	}
}

func TestCombinedOverUDPNeedsARoute(t *testing.T) {
	spec := anySpec("combined")
	spec.Protocol = "udp"
	c := build(t, spec, nil)
	for range 2 {
		if r := c.Check(t.Context()); !r.OK {
			t.Errorf("%+v", r)
		}
	}
}

// By the stage a monitorfile shows whether a success of combined was a connect or a full check.
func TestCombinedOverTCP(t *testing.T) {
	s := serve(t, saying(okHead+"\r\nok"))
	spec := httpSpec(s.addr, "ok")
	spec.Type, spec.Timeout, spec.Connects = "combined", patient, 1
	c := build(t, spec, nil)
	for i, want := range []string{"200 OK, match", "connected, connect", "200 OK, match"} {
		r := c.Check(t.Context())
		testkit.Equal(t, r.Detail+", "+stageNames[r.Stage], want, "check", i)
		testkit.Equal(t, r.OK, true, "check", i)
	}
}

// countingContext counts the functions that wait for the end of the context.
type countingContext struct {
	context.Context
	done    chan struct{}
	waiting atomic.Int32
}

func (c *countingContext) Done() <-chan struct{} { return c.done }

func (c *countingContext) AfterFunc(func()) (stop func() bool) {
	c.waiting.Add(1)
	return func() bool {
		c.waiting.Add(-1)
		return true
	}
}

func TestCheckLeavesNothingBehindInItsContext(t *testing.T) {
	s := serve(t, saying(okHead+"\r\nok"))
	ctx := &countingContext{Context: context.Background(), done: make(chan struct{})}
	for _, spec := range []Spec{httpSpec(s.addr, "ok"), connectSpec(s.addr), connectSpec(testkit.FreeAddr(t)),
		httpSpec(s.addr, "other")} {
		build(t, spec, nil).Check(ctx)
		testkit.Equal(t, ctx.waiting.Load(), 0, spec.Kind(), spec.Target, "functions are left")
	}
}

// The director reports a warning as new when the last check had none: a connect of combined must not lose it.
func TestAWarningLastsThroughTheConnectsOfCombined(t *testing.T) {
	c := &combined{full: always{OK: true, Warning: "ends in 3 days"}, connect: always{OK: true}, connects: 1}
	for range 4 {
		testkit.Equal(t, c.Check(t.Context()).Warning, "ends in 3 days")
	}
}
