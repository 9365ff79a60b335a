package checker

import (
	"crypto/x509"
	"net/netip"
	"sync"

	"ldirectord/checker/perlre"
)

// Env has what the checkers of one reading of the configuration share: ping sockets, the limit of child processes, and
// facts from the configuration. Each file is read once.
type Env struct {
	Pinger Pinger
	// IsVirtual reports whether an address is one of our own virtual services; nil: none is. It is called at each
	// redirect, so it may change with a reload.
	IsVirtual func(netip.AddrPort) bool
	// Children limits the external programs running at once; nil: no limit.
	Children chan struct{}
	// Perls run the files of external-perl; nil: each check has a perl of its own.
	Perls *Perls
	// Matching limits the search of answers; nil: this Env has limits of its own.
	Matching *Matching
	// HostName is the name of this machine, for greetings and default log-ins.
	HostName string

	matchers shared[string, *matcher]       // by pattern
	trusted  shared[string, *x509.CertPool] // by file
	secrets  shared[Spec, *untold]          // keyed by the settings that need it
	http     shared[Spec, *httpRules]       // keyed by settings that don't depend on the server
	requests shared[string, []byte]         // by their own text
}

// shared caches values that many servers share: one for each key.
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

// matcher returns the matcher of a pattern, compiled once.
func (e *Env) matcher(pattern string) (*matcher, error) {
	return e.matchers.get(pattern, func() (*matcher, error) {
		re, err := perlre.Compile(pattern)
		if err != nil {
			return nil, err
		}
		if e.Matching == nil {
			e.Matching = NewMatching()
		}
		return &matcher{pattern, re, e.Matching}, nil
	})
}

// secretsOf returns the secrets of a Spec. Many servers share them.
func (e *Env) secretsOf(s Spec) *untold {
	key := Key(s)
	found, _ := e.secrets.get(key, func() (*untold, error) { return NewSecrets(key), nil })
	return found
}
