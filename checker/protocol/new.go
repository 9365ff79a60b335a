// Package protocol implements the checks. The maps types and services list all of them except the check of an agent.
// Each protocol has its own file. What several share also does: beginning.go reads long bodies and files, and match.go
// runs patterns.
package protocol

import (
	"crypto/x509"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"ldirectord/checker"
	"ldirectord/checker/perlre"
	"ldirectord/checker/seal"
	"ldirectord/checker/settings"
)

// Short names for what most protocols use.
type (
	Spec    = checker.Spec
	Checker = checker.Checker
	Opening = checker.Opening
	Result  = checker.Result
	always  = checker.Always
)

// New returns the checker of a Spec. If a setting can't work, New returns a *checker.SpecError. If the Spec lacks an
// address or port that the check needs, each check fails.
func New(s Spec, e *Env) (Checker, error) {
	if e == nil {
		e = &Env{}
	}
	c, err := newCheck(s, e)
	if err != nil {
		return nil, err
	}
	return seal.New(c, s, &e.secrets), nil
}

// constructor makes the check of a Spec.
type constructor func(Spec, *Env) (Checker, error)

// types maps each check type to its constructor.
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

// service makes the check of a Spec for a service. receive is nil if the service does not use that directive.
type service func(s Spec, e *Env, receive *matcher) (Checker, error)

// services maps each service of the check types negotiate and combined to its constructor.
var services = map[string]service{
	"dns":        newDNS,
	"ftp":        speaking(ftp),
	"grpc":       newGRPC,
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

// newCheck returns the check that a Spec describes.
func newCheck(s Spec, e *Env) (Checker, error) {
	if s.Type == checker.Agent { // in addition to the server's check
		return &agent{server{s.Target, s.Timeout}, []byte(s.Request)}, nil
	}
	if b, ok := types[s.Type]; ok {
		return b(s, e)
	}
	return nil, refused("checktype", fmt.Errorf("unknown type %q", s.Type))
}

// newNegotiate returns the full check of a service.
func newNegotiate(s Spec, e *Env) (Checker, error) {
	build, ok := services[s.Service]
	if !ok {
		return nil, refused("service", fmt.Errorf("unknown service %q", s.Service))
	}
	takes := settings.ServiceOf(s.Service).Takes
	var receive *matcher
	var err error
	if takes("receive") {
		if receive, err = e.matcher("receive", s.Receive); err != nil {
			return nil, err
		}
	}
	c, err := build(s, e, receive)
	if s.Same == "" || err != nil || !takes("same") {
		return c, err
	}
	if movesStart.MatchString(s.Same) {
		return nil, refused("same", errMovedStart)
	}
	find, err := e.matcher("same", s.Same)
	return &same{c, find}, err
}

// Types returns the check types that New knows.
func Types() []string { return slices.Sorted(maps.Keys(types)) }

// Services returns the services that New knows.
func Services() []string { return slices.Sorted(maps.Keys(services)) }

// without returns the constructor of a check that sends no request.
func without(r Result) constructor {
	return func(Spec, *Env) (Checker, error) { return always(r), nil }
}

// newNone returns the check of service=none.
func newNone(Spec, *Env, *matcher) (Checker, error) {
	return always{OK: true, Detail: "service none"}, nil
}

// Env holds what is shared by all checkers made from one reading of the configuration: ping sockets, limits, and facts
// from the configuration. Each file of authorities (tlsca) is read only once.
type Env struct {
	Pinger checker.Pinger
	// PortOf returns the port on which server would receive a TCP connection made to virtual, if one of our own
	// virtual services would forward it there; otherwise 0. isChecked reports whether that service has a single
	// port and checks exactly the address and port in server. PortOf is called anew for each request, because its
	// answer may change with a reload. If it is nil, there are no services.
	PortOf func(virtual, server netip.AddrPort) (port uint16, isChecked bool)
	// Children limits how many external programs run at once; nil: no limit.
	Children *Children
	// Perls run the files of external-perl; nil: each check has a perl of its own.
	Perls *Perls
	// Matching limits the matching of answers; nil: this Env has limits of its own.
	Matching *Matching
	// Leftovers counts the work that checks still do after they have returned, for at most a second; nil: nobody
	// waits for that work.
	Leftovers *sync.WaitGroup
	// HostName is the name of this machine, for greetings and default log-ins.
	HostName string

	matchers checker.Shared[string, *matcher]       // by pattern
	inLine   checker.Shared[string, *perlre.Regexp] // by pattern of an expect line
	trusted  checker.Shared[string, *x509.CertPool] // by file
	secrets  seal.Secrets
	http     checker.Shared[Spec, *httpRules] // keyed by settings that don't depend on the server
	requests checker.Shared[string, []byte]   // by their own text
}

// matcher returns the matcher for a directive's pattern. It compiles each pattern only once.
func (e *Env) matcher(directive, pattern string) (*matcher, error) {
	return e.matchers.Get(pattern, func() (*matcher, error) {
		re, err := perlre.Compile(pattern)
		if err != nil {
			return nil, refused(directive, err)
		}
		if e.Matching == nil {
			e.Matching = NewMatching()
		}
		return &matcher{pattern, re, e.Matching}, nil
	})
}
