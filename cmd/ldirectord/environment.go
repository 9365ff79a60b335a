package main

import (
	"net/netip"
	"runtime"
	"sync/atomic"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/director"
)

// environment is what all checks of the daemon share.
type environment struct {
	pinger   *icmp.Pinger
	children chan struct{}
	matching *checker.Matching
	ours     atomic.Pointer[map[netip.AddrPort]bool]
}

// newEnvironment returns what the checks of a command share.
func newEnvironment(verb string) *environment {
	pinger := icmp.NewPinger()
	if verb == "probe" {
		pinger = icmp.NewOneShotPinger()
	}
	return &environment{
		pinger:   pinger,
		children: make(chan struct{}, 32*runtime.NumCPU()),
		matching: checker.NewMatching(),
	}
}

func (e *environment) close() { e.pinger.Close() }

func (e *environment) checks() *checker.Env {
	return &checker.Env{
		Pinger:   e.pinger,
		Children: e.children,
		Matching: e.matching,
		HostName: hostName(),
		Ours: func(a netip.AddrPort) bool {
			ours := e.ours.Load()
			return ours != nil && (*ours)[a]
		},
	}
}

// setOurs makes the virtual services of a plan those to which no check may be redirected.
func (e *environment) setOurs(p *director.Plan) {
	ours := map[netip.AddrPort]bool{}
	for _, k := range p.Keys() {
		if k.Addr.IsValid() {
			ours[k.Addr] = true
		}
	}
	e.ours.Store(&ours)
}
