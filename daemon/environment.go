package daemon

import (
	"net/netip"
	"runtime"
	"sync/atomic"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/director"
	"ldirectord/through"
)

// Environment is what the checks of a process share.
type Environment struct {
	pinger   *icmp.Pinger
	children chan struct{}
	matching *checker.Matching
	virtuals atomic.Pointer[map[netip.AddrPort]bool]
	through  *through.Services
}

// NewEnvironment returns what checks with this pinger share. Close closes the pinger too.
func NewEnvironment(pinger *icmp.Pinger) *Environment {
	return &Environment{
		pinger:   pinger,
		children: make(chan struct{}, 32*runtime.NumCPU()),
		matching: checker.NewMatching(),
		through:  through.New(),
	}
}

// Close frees what the checks shared.
func (e *Environment) Close() { e.pinger.Close() }

// Builder returns what makes the checkers of one plan or one command, which share the certificates that they read.
func (e *Environment) Builder() director.Build {
	env := &checker.Env{
		Pinger:   e.pinger,
		Children: e.children,
		Matching: e.matching,
		HostName: hostName(),
		IsVirtual: func(a netip.AddrPort) bool {
			virtuals := e.virtuals.Load()
			return virtuals != nil && (*virtuals)[a]
		},
	}
	direct := func(spec checker.Spec) (checker.Checker, error) { return checker.New(spec, env) }
	return func(spec checker.Spec) (checker.Checker, error) {
		if spec.Through == (checker.Through{}) {
			return direct(spec)
		}
		return e.through.New(spec, direct)
	}
}

// SetVirtuals makes the virtual services of a plan those to which no check may be redirected.
func (e *Environment) SetVirtuals(p *director.Plan) {
	virtuals := map[netip.AddrPort]bool{}
	for _, k := range p.Keys() {
		if k.Addr.IsValid() {
			virtuals[k.Addr] = true
		}
	}
	e.virtuals.Store(&virtuals)
}
