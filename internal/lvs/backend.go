package lvs

import (
	"cmp"
	"net/netip"
	"strings"
)

// Backend is one real server of one virtual service. Both have the names that the log uses.
type Backend struct {
	Virtual string `json:"virtual"` // the configuration's id: tcp:192.0.2.1:80, fwm:3
	// as configured: address:port, or host:port with resolve; "" for the virtual service itself
	Real string `json:"real,omitempty"`
}

// At returns the backend with these names.
func At(virtual, real string) Backend { return Backend{virtual, real} }

// String returns the name in readable form: 192.0.2.21:80 of tcp:192.0.2.1:80.
func (b Backend) String() string { return strings.TrimPrefix(b.Real+" of "+b.Virtual, " of ") }

// Compare sorts by virtual service, then by name.
func (b Backend) Compare(other Backend) int {
	return cmp.Or(cmp.Compare(b.Virtual, other.Virtual), cmp.Compare(b.Real, other.Real))
}

// IsMeant reports whether an operator's words name this backend: a real server (see IsServer) or a virtual service (see
// IsNamed). If virtual is "", any virtual service is meant.
func (b Backend) IsMeant(virtual, real string) bool {
	return IsNamed(b.Virtual, virtual) && IsServer(b.Real, real) ||
		virtual == "" && b.Real == "" && IsNamed(b.Virtual, real)
}

// IsNamed reports whether an operator's word refers to the virtual service with this id: by the id, or by the name
// after its colon. An empty word refers to every virtual service.
func IsNamed(id, word string) bool {
	_, name, _ := strings.Cut(id, ":")
	return word == "" || word == id || word == name || asShown(word) == name
}

// IsServer reports whether an operator's word refers to the real server with this name: by the whole name, or by the
// host alone.
func IsServer(name, word string) bool {
	host := name[:max(strings.LastIndexByte(name, ':'), 0)]
	shown := asShown(word)
	return name == word || name == shown || name != "" && (host == word || host == shown)
}

// asShown returns an address as status shows it: 2001:DB8::0001 is [2001:db8::1]. Other words stay as they are.
func asShown(word string) string {
	if at, err := netip.ParseAddrPort(word); err == nil {
		return at.String()
	}
	if addr, err := ParseAddr(word); err == nil && addr.Is6() {
		return FormatAddr(addr)
	}
	return word
}
