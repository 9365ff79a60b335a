package keepalived

import (
	"fmt"
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
func newScope(block []*statement, outer *scope) *scope {
	words := map[string]*statement{}
	for _, s := range block {
		words[s.name()] = s
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

// text returns what comes after one of these words, "" for nothing.
func (s *scope) text(names ...string) string { return s.find(names...).arg(1) }

// yes reports whether a word is there, and not with the value no.
func (s *scope) yes(name string) bool {
	return s.find(name) != nil && !slices.Contains([]string{"no", "off", "false"}, s.text(name))
}

// values reads values. The first that can't be understood is its error.
type values struct{ err error }

func (v *values) fail(s *statement, format string, args ...any) {
	if v.err == nil {
		v.err = s.at.wrong("%q must have %s", strings.Join(s.words, " "), fmt.Sprintf(format, args...))
	}
}

// number reads what comes after a word, usual if s is nil.
func (v *values) number(s *statement, usual float64) float64 {
	if s == nil {
		return usual
	}
	n, err := strconv.ParseFloat(s.arg(1), 64)
	if err != nil || !(n >= 0 && n <= math.MaxUint32) {
		v.fail(s, "a number from 0 to %d", uint32(math.MaxUint32))
	}
	return n
}

var methods = map[string]string{"": "masq", "NAT": "masq", "DR": "gate", "TUN": "ipip"}

// method reads a forwarding method, masq if s is nil.
func (v *values) method(s *statement) string {
	if methods[s.arg(1)] == "" {
		v.fail(s, "NAT, DR or TUN")
	}
	return methods[s.arg(1)]
}

// host reads the address and the port of a server. Under a firewall mark servers have no port.
func (v *values) host(s *statement, protocol string) string {
	address, err := netip.ParseAddr(s.arg(1))
	if err != nil {
		v.fail(s, "an address")
	}
	port := s.arg(2)
	if protocol == "fwm" {
		port = ""
	}
	return host(address, port)
}

// host is an address with its port, if there is one.
func host(address netip.Addr, port string) string {
	text := address.String()
	if address.Is6() {
		text = "[" + text + "]"
	}
	if port != "" {
		text += ":" + port
	}
	return text
}

// six ends the names of directives for IPv6.
func six(address netip.Addr) string {
	if address.Is6() {
		return "6"
	}
	return ""
}

// lines are directives of a section.
type lines []string

// set adds a directive, unless its value is "".
func (l *lines) set(name string, value any) {
	if value != "" {
		*l = append(*l, fmt.Sprint(name, " = ", value))
	}
}

// quote adds a directive whose value is in quotes, unless that is "".
func (l *lines) quote(name, value string) {
	if value != "" {
		l.set(name, `"`+value+`"`)
	}
}

// under are the lines below one that begins a section or a block.
func (l lines) under(header string) string {
	return header + "\n        " + strings.Join(l, "\n        ") + "\n"
}
