package daemon

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/checker/protocol"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
	"ldirectord/internal/viavip"
)

// Environment holds the resources that all checks of this process share.
type Environment struct {
	User string // the user of a command such as check, whose missing rights are not mistakes in the file; else ""

	pinger   *icmp.Pinger
	children *protocol.Children
	matching *protocol.Matching
	perls    protocol.Perls
	leftover sync.WaitGroup // see protocol.Env
	virtuals atomic.Pointer[plan.Virtuals]
	through  *viavip.Services
}

// NewEnvironment returns an environment that uses this pinger. Its method Close closes the pinger too.
func NewEnvironment(pinger *icmp.Pinger) *Environment {
	return &Environment{
		pinger:   pinger,
		children: protocol.NewChildren(min(32*runtime.GOMAXPROCS(0), schedule.MaxPrograms())),
		matching: protocol.NewMatching(),
		through:  viavip.New(),
	}
}

// Close frees the shared resources. It waits until checks have cancelled their queries.
func (e *Environment) Close() {
	e.leftover.Wait()
	e.perls.Renew()
	e.pinger.Close()
}

// lacksRights returns the current user if err only means that this user lacks a permission, and otherwise "". The
// daemon itself will run with other permissions.
func (e *Environment) lacksRights(err error) string {
	if errors.Is(err, syscall.EACCES) {
		return e.User
	}
	return ""
}

// Builder returns the function that makes the checkers of one plan or one command. These checkers share certificates.
// They read Perl files and their modules again, even if they were read before.
func (e *Environment) Builder() plan.Build {
	e.perls.Renew()
	env := &protocol.Env{
		Pinger:    e.pinger,
		Children:  e.children,
		Matching:  e.matching,
		Perls:     &e.perls,
		Leftovers: &e.leftover,
		HostName:  hostName(),
		PortOf: func(virtual, server netip.AddrPort) (port uint16, isChecked bool) {
			if virtuals := e.virtuals.Load(); virtuals != nil {
				return virtuals.PortOf(virtual, server)
			}
			return 0, false
		},
	}
	direct := func(spec checker.Spec) (checker.Checker, error) {
		made, err := protocol.New(spec, env)
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

// forbidden is a check that needs a file which the current user may not read.
type forbidden string

// Check returns the reason why the server is not checked.
func (f forbidden) Check(context.Context) checker.Result {
	return checker.Result{Cause: checker.Shortage, Detail: string(f)}
}

// SetVirtuals sets the virtual services of a plan. If a check is redirected to one of them, it follows the redirect on
// the server that is being checked.
func (e *Environment) SetVirtuals(p *plan.Plan) { e.virtuals.Store(p.Virtuals()) }
