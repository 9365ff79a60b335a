package checker

import (
	"context"
	"fmt"
	"slices"
)

// SpecError is a setting that no check can be made with.
type SpecError struct {
	Directive string // of the configuration, such as receive
	Err       error
}

func (e *SpecError) Error() string { return e.Directive + ": " + e.Err.Error() }
func (e *SpecError) Unwrap() error { return e.Err }

// New returns the checker of a Spec. A setting that can't work is a *SpecError; what the Spec
// leaves open (no address, no port) is a failure of each check.
func New(s Spec, e *Env) (Checker, error) {
	if e == nil {
		e = &Env{}
	}
	c, err := newCheck(s, e)
	if err != nil {
		return nil, err
	}
	return &sealed{c, e.secretsOf(s)}, nil
}

// newCheck returns the check of a type.
func newCheck(s Spec, e *Env) (Checker, error) {
	switch s.Type {
	case "on":
		return always{OK: true, Detail: "checktype on"}, nil
	case "off":
		return always{Detail: "checktype off"}, nil
	case "ping":
		return newPing(s, e)
	case "connect":
		if s.Protocol == "udp" {
			return newPing(s, e)
		}
		return newConnect(s), nil
	case "external":
		return newExternal(s, e), nil
	case "external-perl":
		return newExternalPerl(s, e), nil
	case "negotiate":
		return newNegotiate(s, e)
	case "combined":
		return newCombined(s, e)
	}
	return nil, &SpecError{"checktype", fmt.Errorf("unknown type %q", s.Type)}
}

// newNegotiate returns the full check of a service.
func newNegotiate(s Spec, e *Env) (Checker, error) {
	switch s.Service {
	case "none":
		return always{OK: true, Detail: "service none"}, nil
	case "http", "https", "http_proxy":
		return newHTTP(s, e)
	case "ldap", "ldaps":
		return newLDAP(s, e)
	case "mysql":
		return newMySQL(s), nil
	case "oracle":
		return newOracle(s, e)
	case "pgsql":
		return newPgSQL(s), nil
	case "redis":
		return newRedis(s, e)
	case "smtp", "submission":
		return newSMTP(s, e)
	case "pop":
		return newPOP(s, e)
	case "pops":
		return newPOPS(s, e)
	case "imap":
		return newIMAP(s, e)
	case "imaps":
		return newIMAPS(s, e)
	case "ftp":
		return newFTP(s, e)
	case "nntp":
		return newNNTP(s), nil
	case "simpletcp":
		return newSimpleTCP(s, e)
	case "dns":
		return newDNS(s, e)
	case "sip":
		return newSIP(s, e), nil
	case "radius":
		return newRADIUS(s), nil
	case "tls":
		return newTLS(s, e)
	}
	return nil, &SpecError{"service", fmt.Errorf("unknown service %q", s.Service)}
}

// Types returns the check types that New knows.
func Types() []string {
	return []string{"combined", "connect", "external", "external-perl", "negotiate", "off", "on", "ping"}
}

// Services returns the services that New knows.
func Services() []string {
	all := []string{
		"dns", "ftp", "http", "http_proxy", "https", "imap", "imaps", "ldap", "ldaps", "mysql", "nntp", "none", "oracle", "pgsql",
		"pop", "pops", "radius", "redis", "simpletcp", "sip", "smtp", "submission", "tls",
	}
	return slices.DeleteFunc(all, func(service string) bool { return service == "oracle" && !hasOracle })
}

// always is a check that asks nobody.
type always Result

// Check implements Checker.
func (a always) Check(context.Context) Result { return Result(a) }
