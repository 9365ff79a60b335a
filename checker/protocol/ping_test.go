package protocol

import (
	"context"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/checker/wire"
)

// fakePinger returns the errors that a test sets, one after the other.
type fakePinger struct {
	errs     []error
	asked    int
	timeouts []time.Duration
	onLink   bool // of the last ping
}

func (p *fakePinger) Ping(_ context.Context, _ netip.Addr, by icmp.Path, timeout time.Duration) (time.Duration, error) {
	p.onLink = by.OnLink
	err := p.errs[p.asked]
	p.asked++
	p.timeouts = append(p.timeouts, timeout)
	return 1234567 * time.Nanosecond, err
}

func TestPingIsTriedAgainAfterSilenceOnly(t *testing.T) {
	silent := os.ErrDeadlineExceeded
	for name, c := range map[string]struct {
		errs  []error
		asked int
		want  Result
	}{
		"first": {[]error{nil}, 1, Result{OK: true, Stage: wire.AtMatch,
			Detail: "echo reply after 1.235ms"}},
		"third": {[]error{silent, silent, nil}, 3,
			Result{OK: true, Stage: wire.AtMatch, Detail: "echo reply after 1.235ms"}},
		"none": {[]error{silent, silent, silent}, 3,
			Result{Stage: wire.AtConnect, Cause: checker.Timeout,
				Detail: "ping: no answer to 3 requests, 5s each"}},
		"unreachable": {[]error{silent, syscall.ENETUNREACH}, 2,
			Result{Stage: wire.AtConnect, Cause: checker.Unreachable,
				Detail: "ping: network is unreachable"}},
		"no socket": {[]error{icmp.ErrDenied}, 1, Result{Stage: wire.AtConnect, Cause: checker.Shortage,
			Detail: "ping: forbidden on this machine; CAP_NET_RAW permits it, or a group in " +
				"net.ipv4.ping_group_range"}},
		"dropped here": {[]error{syscall.EPERM}, 1,
			Result{Stage: wire.AtConnect, Cause: checker.Shortage,
				Detail: "ping: operation not permitted"}},
		"refused by a router": {[]error{syscall.EACCES}, 1,
			Result{Stage: wire.AtConnect, Detail: "ping: permission denied"}},
		"shortage": {[]error{syscall.ENOBUFS}, 1,
			Result{Stage: wire.AtConnect, Cause: checker.Shortage,
				Detail: "ping: no buffer space available"}},
	} {
		p := &fakePinger{errs: c.errs}
		spec := anySpec("ping")
		spec.Attempts, spec.Timeout, spec.OnLink = 3, patient, name == "third"
		r := build(t, spec, &Env{Pinger: p}).Check(t.Context())
		if r.Stages = (wire.Stages{}); r != c.want || p.asked != c.asked || p.timeouts[0] != patient ||
			p.onLink != spec.OnLink {
			t.Errorf("%s: %+v after %d, want %+v after %d", name, r, p.asked, c.want, c.asked)
		}
	}
}

func TestPingIsTheConnectCheckOfUDP(t *testing.T) {
	p := &fakePinger{errs: []error{nil}}
	spec := anySpec("connect")
	spec.Protocol = "udp"
	if r := build(t, spec, &Env{Pinger: p}).Check(t.Context()); !r.OK || p.asked != 1 {
		t.Errorf("%+v, asked %d", r, p.asked)
	}
}

var loopbacks = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}
