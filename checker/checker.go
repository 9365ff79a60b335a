// Package checker checks whether real servers are healthy: a file for each protocol.
package checker

import (
	"context"
	"crypto/x509"
	"net/netip"
	"sync"
	"time"

	"ldirectord/lvs"
)

// Checker makes one check of one server. It keeps its own deadline (Spec.Timeout or
// Spec.NegotiateTimeout) over everything it does and closes what it opens. A Checker is never run
// twice at the same time.
type Checker interface {
	Check(ctx context.Context) Result
}

// Spec is everything that makes one check what it is. Two equal Specs are the same check of the
// same server and are made once. All fields must be comparable.
type Spec struct {
	Type     string // checktype: negotiate, connect, ping, external, external-perl, on, off, combined
	Service  string // negotiate and combined: http, https, …, none
	Protocol string // of the virtual service: tcp, udp, fwm
	Connects int    // combined: connects between two full checks

	Target           netip.AddrPort // the server's address and the port to check; port 0 when there is none
	OnLink           bool           // the server is to be reached without a router, but by external checks
	Timeout          time.Duration  // checktimeout: ping, connect, external
	NegotiateTimeout time.Duration  // negotiate
	Attempts         int            // checkcount: ping

	Command string    // checkcommand
	Args    [4]string // external: virtual address or mark, virtual port, real address, real port

	Request        string // with its leading slash, as the Perl ldirectord keeps it
	URL            string // what an http check asks for
	Receive        string // Perl regular expression; "" matches everything
	Host           string // virtualhost
	SNI            string // "" means Host
	Method         string // GET or HEAD
	FollowRedirect string // yes, server or no
	Login          string
	Passwd         string
	Database       string
	Secret         string

	// Extensions, all opt-in.
	TLSVerify     bool                  // the certificate must be good for SNI or the address
	TLSCA         string                // file of the authorities to trust; "" for the system's
	TLSCert       string                // file of a client certificate
	TLSKey        string                // file of its key
	TLSFiles      string                // what TLSSums say of these files
	TLSExpiryWarn int                   // days before its end from which a certificate is warned about; 0 for never
	StartTLS      bool                  // smtp, submission, imap, pop, ldap, ftp
	NoClearText   bool                  // mysql, pgsql: the password is not sent so that the server could read it
	HTTPStatus    List[lvs.StatusRange] // statuses that are good; none for 2xx
	HTTPHeaders   List[string]          // further request headers, each "Name: value"
	HTTPUser      string                // basic authentication
	HTTPPasswd    string
	Steps         List[lvs.Step] // simpletcp: a conversation instead of Request and Receive
	// record type to ask for, which the parser has judged; "" for A, or PTR for an address
	DNSType  string
	DNSRcode string  // answer code that is good, which the parser has judged; "" for NOERROR
	Through  Through // zero: Target itself is asked
}

// Through is the way of a check that reaches a server as clients do: forwarded by IPVS, at the virtual address and
// Target's port. Target stays the server's own address.
type Through struct {
	Virtual netip.Addr
	Server  netip.Addr
	Tunnel  string // "" for gate, else the encapsulation: ipip
}

// Env is what the checkers of one reading of the configuration share: one ping socket a family, a bound on child
// processes, and what they must know of the configuration. Each file is read once.
type Env struct {
	Pinger Pinger
	// IsVirtual reports whether an address is one of our own virtual services; nil: none is.
	// It is asked at each redirect, so it may change with a reload.
	IsVirtual func(netip.AddrPort) bool
	// Children bounds the external programs running at once; nil: no bound.
	Children chan struct{}
	// Perls run the files of external-perl; nil: each check has one of its own.
	Perls *Perls
	// Matching bounds the search of answers; nil: bounds of this Env's own.
	Matching *Matching
	// HostName of this machine, for greetings and default log-ins.
	HostName string

	matchers shared[string, *matcher]       // by pattern
	trusted  shared[string, *x509.CertPool] // by file
	secrets  shared[Spec, *untold]          // by what has some
	http     shared[Spec, *httpRules]       // by what says nothing of one server
	requests shared[string, []byte]         // by themselves
}

// shared is what many servers have in common: it is made once for each key.
type shared[K comparable, V any] struct {
	mu   sync.Mutex
	made map[K]V
}

func (s *shared[K, V]) get(key K, build func() (V, error)) (V, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.made[key]; ok {
		return v, nil
	}
	v, err := build()
	if err != nil {
		return v, err
	}
	if s.made == nil {
		s.made = map[K]V{}
	}
	s.made[key] = v
	return v, nil
}

// Pinger sends one echo request, on the link if it has to be, and waits for its reply.
type Pinger interface {
	Ping(ctx context.Context, to netip.Addr, onLink bool, timeout time.Duration) (time.Duration, error)
}

// Kind is the check in a word or two, for a person: its type, and for negotiate the service.
func (s Spec) Kind() string {
	if s.Type == "negotiate" {
		return s.Service
	}
	return s.Type
}
