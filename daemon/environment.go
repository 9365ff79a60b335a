package daemon

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/director"
	"ldirectord/through"
)

// Environment is what the checks of a process share.
type Environment struct {
	User string // the user of a command that only asks; "" for root, and where a daemon is to begin

	pinger   *icmp.Pinger
	children chan struct{}
	matching *checker.Matching
	perls    checker.Perls
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
func (e *Environment) Close() {
	e.perls.Renew()
	e.pinger.Close()
}

// lacksRights returns the user whose rights alone an error is about, "" for none: the daemon will have others.
func (e *Environment) lacksRights(err error) string {
	if errors.Is(err, syscall.EACCES) {
		return e.User
	}
	return ""
}

// Builder returns what makes the checkers of one plan or one command, which share the certificates that they read. Perl
// files, and what they use, are read again.
func (e *Environment) Builder() director.Build {
	e.perls.Renew()
	env := &checker.Env{
		Pinger:   e.pinger,
		Children: e.children,
		Matching: e.matching,
		Perls:    &e.perls,
		HostName: hostName(),
		IsVirtual: func(a netip.AddrPort) bool {
			virtuals := e.virtuals.Load()
			return virtuals != nil && (*virtuals)[a]
		},
	}
	direct := func(spec checker.Spec) (checker.Checker, error) {
		made, err := checker.New(spec, env)
		if err != nil && e.lacksRights(err) != "" {
			return forbidden(err.Error()), nil
		}
		return made, err
	}
	return func(spec checker.Spec) (checker.Checker, error) {
		if spec.Through == (checker.Through{}) {
			return direct(spec)
		}
		return e.through.New(spec, direct)
	}
}

// forbidden is a check with a file that the user who asks may not read.
type forbidden string

// Check says why no server is asked.
func (f forbidden) Check(context.Context) checker.Result {
	return checker.Result{Cause: checker.Shortage, Detail: string(f)}
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
