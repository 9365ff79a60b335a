package protocol

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/checker/icmp"
	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// fakePinger returns the errors that a test sets, one after the other.
type fakePinger struct {
	errs     []error
	asked    int
	timeouts []time.Duration
	onLink   bool // of the last ping
}

func (p *fakePinger) Ping(_ context.Context, _ netip.Addr, by settings.Path, timeout time.Duration) (time.Duration,
	error) {
	p.onLink = by.OnLink
	err := p.errs[p.asked]
	p.asked++
	p.timeouts = append(p.timeouts, timeout)
	return 1234567 * time.Nanosecond, err
}

func TestPingIsTriedAgainAfterSilenceOnly(t *testing.T) {
	errs := map[string]error{"silent": os.ErrDeadlineExceeded, "no network": syscall.ENETUNREACH,
		"no room":       syscall.ENOBUFS,
		"not permitted": syscall.EPERM, "denied": syscall.EACCES, "no socket": icmp.ErrDenied}
	for _, row := range testkit.Table(t, "../../testdata/checker/pings.txt", 5) {
		p := &fakePinger{}
		for word := range strings.SplitSeq(row[1], ", ") {
			p.errs = append(p.errs, errs[word])
		}
		spec := anySpec("ping")
		spec.Attempts, spec.Timeout, spec.OnLink = 3, patient, row[0] == "the third is answered"
		r := build(t, spec, &Env{Pinger: p}).Check(t.Context())
		expect(t, r, row[4], row[0])
		testkit.Equal(t, stageNames[r.Stage], row[2], row[0])
		testkit.Equal(t, causeName(r), row[3], row[0])
		if p.asked != len(p.errs) || p.timeouts[0] != patient || p.onLink != spec.OnLink {
			t.Errorf("%s: after %d in %v", row[0], p.asked, p.timeouts)
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
