// Package checker defines checks: their settings, their results, and how they can run without a goroutine.
package checker

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"ldirectord/checker/settings"
	"ldirectord/internal/lvs"
)

// Checker makes the same check of one server each time that Check is called. Check limits its own time (Spec.Timeout,
// Spec.NegotiateTimeout), and closes what it opens. It is not called again before it has returned.
type Checker interface {
	Check(ctx context.Context) Result
}

// Spec holds all settings of one check. Equal Specs describe the same check of the same server, which is then made only
// once. All fields must be comparable.
type Spec struct {
	Type     string // checktype: negotiate, connect, ping, external, external-perl, on, off, combined; or Agent
	Service  string // negotiate and combined: http, https, …, none
	Protocol string // of the virtual service: tcp, udp, fwm
	Connects int    // combined: connects between two full checks

	Target           netip.AddrPort // the server's address and the port to check; port 0 when there is none
	Timeout          time.Duration  // checktimeout: all types except negotiate; ping: the limit of each attempt
	NegotiateTimeout time.Duration  // negotiatetimeout: negotiate, combined
	Attempts         int            // checkcount: ping, and connect over UDP

	Command string // checkcommand
	Args    string // external, external-perl: the arguments of Command, with zero bytes between them

	Request string // with a leading slash, as the Perl ldirectord keeps it; agent: what to send first
	URL     string // the URL of an http check
	Receive string // Perl regular expression; "" matches everything (dns: only with DNSType or DNSRcode)
	Same    string // the pattern for what should be the same in all servers' answers; "": they are not compared
	Host    string // virtualhost
	SNI     string // "" means Host

	settings.Path // external checks ignore it
	settings.Account
	settings.HTTP
	settings.TLS

	// Extensions, all opt-in.
	TLSFiles string // from TLSSums.Of: the checksum of the files that TLS needs
	UseTLS   bool   // grpc, mysql, pgsql, redis, simpletcp: over TLS
	StartTLS bool   // smtp, submission, imap, pop, ldap, ftp: TLS starts during the conversation
	// simpletcp and connect over UDP: if a server does not answer within half of the timeout, a ping decides
	// whether it is up
	PingsTheSilent bool
	NoClearText    bool         // mysql, pgsql: the password is never sent in clear text
	HTTPHeaders    List[string] // further request headers, each "Name: value"
	Tells
	Steps List[settings.Step] // simpletcp: a conversation instead of Request and Receive
	// the record type to ask for, validated by the parser; "": A, or PTR if the request is an address
	DNSType  string
	DNSRcode string  // the accepted answer code, validated by the parser; "": NOERROR
	Through  Through // zero: the check goes to Target itself
}

// Tells holds the settings that let a check report how much load its server can bear.
type Tells struct {
	DrainStatus settings.HTTPStatuses // http, https, http_proxy: statuses that ask for no new clients
	Weighs      bool                  // external, external-perl: the exit status sets the weight
}

// Through is the path of a check that reaches a server as clients do. The check connects to the virtual address and
// Target's port, and IPVS forwards its packets to the server. Target is the server's own address until viavip replaces
// it with the virtual address.
type Through struct {
	Virtual netip.Addr
	Server  netip.Addr
	Forward lvs.Forward // how IPVS forwards the packets: Route or Tunnel
}

// Pinger sends one echo request over a path, and waits for its reply.
type Pinger interface {
	Ping(ctx context.Context, to netip.Addr, by settings.Path, timeout time.Duration) (time.Duration, error)
}

// Kind returns a readable name for the check: its type or, for negotiate, its service.
func (s Spec) Kind() string {
	if s.Type == "negotiate" {
		return s.Service
	}
	return s.Type
}

// Agent is the Type of a check that queries a server's agent.
const Agent = "agent"

// SpecError is the error for a setting that makes a check impossible.
type SpecError struct {
	Directive string // the directive of the configuration, such as receive
	Err       error
}

func (e *SpecError) Error() string { return e.Directive + ": " + e.Err.Error() }
func (e *SpecError) Unwrap() error { return e.Err }

// Always is a check that sends nothing and always has the same result.
type Always Result

// Check implements Checker.
func (a Always) Check(context.Context) Result { return Result(a) }

// As returns a check as a T, or the outermost T that it wraps. A check that wraps another one has a method First, which
// returns it.
func As[T any](c Checker) (found T, ok bool) {
	found, ok = c.(T)
	if w, wraps := c.(interface{ First() Checker }); wraps && !ok {
		return As[T](w.First())
	}
	return found, ok
}

// Idle returns an error if the check always fails without sending a request, because a setting is missing or can't be
// used. Otherwise it returns nil.
func Idle(c Checker) *SpecError {
	if r, ok := As[Always](c); ok && !r.OK {
		return &SpecError{"service", fmt.Errorf("%s, so its checks fail", r.Detail)}
	}
	return nil
}

// CompanyOf returns the key of a group of checks that cost less when they run in close succession. It returns "" if the
// check belongs to no such group.
func CompanyOf(c Checker) string {
	if of, ok := As[interface{ Company() string }](c); ok {
		return of.Company()
	}
	return ""
}

// ProgramsOf returns the limit on the programs that all checks together may run at once. It returns 0 if there is no
// limit, or if the next run of c starts no program. A check that wraps another one may answer for it.
func ProgramsOf(c Checker) int {
	if of, ok := As[interface{ Programs() int }](c); ok {
		return of.Programs()
	}
	return 0
}
