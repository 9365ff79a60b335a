package checker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestEachFailureHasItsCause(t *testing.T) {
	connect := func(errno syscall.Errno) error {
		return stageFault("connect", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)})
	}
	for want, errs := range map[Cause][]error{
		Answer:      {errors.New("status 500, want 2xx"), stageFault("greeting", errors.New("not SMTP"))},
		Timeout:     {stageFault("connect", context.DeadlineExceeded), connect(syscall.ETIMEDOUT), os.ErrDeadlineExceeded},
		Refused:     {connect(syscall.ECONNREFUSED)},
		Closed:      {connect(syscall.ECONNRESET), connect(syscall.EPIPE)},
		Unreachable: {connect(syscall.EHOSTUNREACH), connect(syscall.ENETUNREACH)},
		Lookup:      {&fault{"look-up", &net.DNSError{Err: "no such host", IsNotFound: true}}, &net.DNSError{Err: "late", IsTimeout: true}},
		TLS:         {&fault{"no TLS", tls.RecordHeaderError{}}, stageFault("TLS handshake", &handshakeError{errors.New("tls: bad certificate")})},
		Shortage:    {connect(syscall.EMFILE), connect(syscall.EADDRNOTAVAIL), errStopped},
	} {
		for _, err := range errs {
			if r := failed(t.Context(), err); r.Cause != want || r.Local != (want == Shortage) {
				t.Errorf("%v: cause %v, local %v; want %v", err, r.Cause, r.Local, want)
			}
		}
	}
}

func TestProgramsFailByTheirStatusOrInTime(t *testing.T) {
	for command, want := range map[string]Cause{"/bin/false": Program, "/no/such/program": Program, "/bin/sleep 9": Timeout} {
		c := &external{argv: strings.Fields(command), timeout: 50 * time.Millisecond}
		if r := c.Check(t.Context()); r.OK || r.Cause != want {
			t.Errorf("%s: %+v, want %v", command, r, want)
		}
	}
}

func TestEachCauseHasANameOfItsOwn(t *testing.T) {
	seen := map[string]bool{"": true}
	for c := range Causes {
		if seen[c.String()] {
			t.Errorf("cause %d is named %q", c, c)
		}
		seen[c.String()] = true
	}
}

func TestOverdueIsTheAgeOfTheMostBelatedCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := run(t)
		end := make(chan struct{})
		hangs := checkFunc(func(context.Context) Result { <-end; return Result{OK: true} })
		fine := checkFunc(func(context.Context) Result { return Result{OK: true} })
		p.Set([]*Task{task(1, time.Second, fine), task(2, 2*time.Second, hangs)})
		time.Sleep(1900 * time.Millisecond)
		synctest.Wait()
		if late := p.Overdue(); late > 2*Tick {
			t.Errorf("%v overdue before anything is late", late)
		}
		time.Sleep(5100 * time.Millisecond)
		synctest.Wait()
		if late := p.Overdue(); late != 5*time.Second {
			t.Errorf("%v overdue, want 5s: a check that began 7 s ago, to be made each 2 s", late)
		}
		close(end)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if late := p.Overdue(); late > 2*Tick {
			t.Errorf("%v overdue after it ended", late)
		}
	})
}

func TestARefusedConnectionIsCountedAsThat(t *testing.T) {
	c, err := New(Spec{Type: "connect", Target: netip.MustParseAddrPort("127.0.0.1:1"), Timeout: time.Second}, &Env{})
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Check(t.Context()); r.Cause != Refused {
		t.Errorf("%+v", r)
	}
}
