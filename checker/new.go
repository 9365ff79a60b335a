package checker

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"ldirectord/internal/lvs"
)

// New returns the checker of a Spec. For a setting that can't work it returns a *SpecError. If the Spec has no address
// or port, each check fails.
func New(s Spec, e *Env) (Checker, error) {
	if e == nil {
		e = &Env{}
	}
	c, err := newCheck(s, e)
	if err != nil {
		return nil, err
	}
	return newSealed(c, s, e.secretsOf(s)), nil
}

// constructor makes the check of a Spec.
type constructor func(Spec, *Env) (Checker, error)

// types are the check types.
var types = map[string]constructor{
	"combined":      newCombined,
	"connect":       newConnect,
	"external":      newExternal,
	"external-perl": newExternalPerl,
	"negotiate":     newNegotiate,
	"off":           without(Result{Detail: "checktype off"}),
	"on":            without(Result{OK: true, Detail: "checktype on"}),
	"ping":          newPing,
}

// service makes the check of a Spec for a service. receive is nil if it compares nothing.
type service func(s Spec, e *Env, receive *matcher) (Checker, error)

// services are the services of the check types negotiate and combined.
var services = map[string]service{
	"dns":        newDNS,
	"ftp":        speaking(ftp),
	"http":       newHTTP,
	"http_proxy": newHTTP,
	"https":      newHTTP,
	"imap":       speaking(imap),
	"imaps":      speaking(imap),
	"ldap":       speaking(ldapTalk),
	"ldaps":      speaking(ldapTalk),
	"mysql":      ofQuery(newMySQL),
	"nntp":       speaking(nntp),
	"none":       newNone,
	"oracle":     ofQuery(newOracle),
	"pgsql":      ofQuery(newPgSQL),
	"pop":        speaking(pop),
	"pops":       speaking(pop),
	"radius":     newRADIUS,
	"redis":      speaking(redis),
	"simpletcp":  newSimpleTCP,
	"sip":        newSIP,
	"smtp":       speaking(smtp),
	"submission": speaking(smtp),
	"tls":        speaking(handshakeOnly),
}

// newCheck returns the check of a type.
func newCheck(s Spec, e *Env) (Checker, error) {
	if s.Type == Agent { // besides the check of the server
		return &agent{server{s.Target, s.Timeout}, []byte(s.Request)}, nil
	}
	if b, ok := types[s.Type]; ok {
		return b(s, e)
	}
	return nil, &SpecError{"checktype", fmt.Errorf("unknown type %q", s.Type)}
}

// newNegotiate returns the full check of a service.
func newNegotiate(s Spec, e *Env) (Checker, error) {
	build, ok := services[s.Service]
	if !ok {
		return nil, &SpecError{"service", fmt.Errorf("unknown service %q", s.Service)}
	}
	var receive *matcher
	if lvs.ServiceOf(s.Service).Takes("receive") {
		var err error
		if receive, err = e.matcher(s.Receive); err != nil {
			return nil, &SpecError{"receive", err}
		}
	}
	return build(s, e, receive)
}

// Types returns the check types that New knows.
func Types() []string { return slices.Sorted(maps.Keys(types)) }

// Services returns the services that New knows.
func Services() []string { return slices.Sorted(maps.Keys(services)) }

// without returns a check that sends no request.
func without(r Result) constructor {
	return func(Spec, *Env) (Checker, error) { return always(r), nil }
}

// newNone returns the check of service=none.
func newNone(Spec, *Env, *matcher) (Checker, error) {
	return always{OK: true, Detail: "service none"}, nil
}

// always is a check without a request.
type always Result

// Check implements Checker.
func (a always) Check(context.Context) Result { return Result(a) }

// Idle reports the failure of every such check.
func (a always) Idle() *SpecError {
	if a.OK {
		return nil
	}
	return &SpecError{"service", fmt.Errorf("%s, so its checks fail", a.Detail)}
}
