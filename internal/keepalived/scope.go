package keepalived

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// scope has the words of a block, and those of the block around it, which count where it has none of its own.
type scope struct {
	words map[string]*statement
	outer *scope
}

// newScope takes the words of a block; of a word that comes several times the last counts.
func newScope(s *statement, outer *scope) *scope {
	words := map[string]*statement{}
	for _, in := range s.block {
		words[in.name()] = in
	}
	return &scope{words, outer}
}

// find returns the innermost line with one of these words, nil if there is none.
func (s *scope) find(names ...string) *statement {
	for ; s != nil; s = s.outer {
		for _, name := range names {
			if found := s.words[name]; found != nil {
				return found
			}
		}
	}
	return nil
}

// text is what comes after the word, or else a default.
func (s *scope) text(usual string, names ...string) string {
	if found := s.find(names...); found != nil && len(found.words) > 1 {
		return found.arg(1)
	}
	return usual
}

// values reads the values of words. The first that can't be understood is its error.
type values struct{ err error }

func (v *values) fail(at Position, format string, args ...any) {
	if v.err == nil {
		v.err = at.wrong(format, args...)
	}
}

// number reads a whole number from 0 to most, usual if s is nil.
func (v *values) number(s *statement, usual, most uint64) uint64 {
	if s == nil {
		return usual
	}
	n, err := strconv.ParseUint(s.arg(1), 10, 64)
	if err != nil || n > most {
		v.fail(s.at(), "%s %q must be a whole number from 0 to %d", s.name(), s.arg(1), most)
	}
	return n
}

// seconds reads a time, usual if s is nil.
func (v *values) seconds(s *statement, usual float64) float64 {
	if s == nil {
		return usual
	}
	n, err := strconv.ParseFloat(s.arg(1), 64)
	if err != nil || !(n >= 0) || math.IsInf(n, 0) {
		v.fail(s.at(), "%s %q must be a number of seconds", s.name(), s.arg(1))
	}
	return n
}

// yes reads a word that is true without a value; false if s is nil.
func (v *values) yes(s *statement) bool {
	if s == nil {
		return false
	}
	text := strings.ToLower(s.arg(1))
	if !slices.Contains([]string{"", "on", "true", "yes", "off", "false", "no"}, text) {
		v.fail(s.at(), "%s %q must be yes or no", s.name(), s.arg(1))
	}
	return !slices.Contains([]string{"off", "false", "no"}, text)
}

// method reads a forwarding method, masq without one.
func (v *values) method(s *statement) string {
	if s == nil {
		return "masq"
	}
	method := map[string]string{"NAT": "masq", "DR": "gate", "TUN": "ipip"}[s.arg(1)]
	if method == "" {
		v.fail(s.at(), "%s %q must be NAT, DR or TUN", s.name(), s.arg(1))
	}
	return method
}

// endpoint reads an address and a port from the words of a line, from a number on.
func (v *values) endpoint(s *statement, from int) (address netip.Addr, port uint16) {
	address, err := netip.ParseAddr(s.arg(from))
	if err != nil {
		v.fail(s.at(), "%s %q must be an address", s.name(), s.arg(from))
	}
	return address, v.port(s, from+1)
}

// port reads a port, 0 if s is nil or has no such word.
func (v *values) port(s *statement, at int) uint16 {
	if s == nil {
		return 0
	}
	n, err := strconv.ParseUint(s.arg(at), 10, 16)
	if err != nil && s.arg(at) != "" {
		v.fail(s.at(), "port %q must be a number from 0 to 65535", s.arg(at))
	}
	return uint16(n)
}

// host is an address with its port as ldirectord.cf has it; without one if it is 0.
func host(address netip.Addr, port uint16) string {
	switch {
	case port > 0:
		return netip.AddrPortFrom(address, port).String()
	case address.Is6():
		return "[" + address.String() + "]"
	default:
		return address.String()
	}
}
