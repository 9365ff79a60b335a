package keepalived

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ldirectord/internal/lvs"
)

// scope holds the words of a block. Words that are not in the block are looked up in the outer scope.
type scope struct {
	words map[string]*statement
	outer *scope
}

// synonyms maps words to words with the same meaning.
var synonyms = map[string]string{"lvs_sched": "lb_algo", "lvs_method": "lb_kind", "nb_get_retry": "retry"}

// newScope returns the scope of a block. As in keepalived, the last of several lines with the same word counts. For
// name in DNS_CHECK, the first line counts instead. A sorry_server_lvs_method applies to the sorry_server before it.
func newScope(block []*statement, outer *scope) *scope {
	words := map[string]*statement{}
	for _, s := range block {
		name := cmp.Or(synonyms[s.name()], s.name())
		switch {
		case name == "name" && words[name] != nil:
			continue
		case name == "sorry_server":
			delete(words, "sorry_server_lvs_method")
		}
		words[name] = s
	}
	return &scope{words, outer}
}

// find returns the innermost line with one of these words, or nil.
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

// text returns the value of a word, or "".
func (s *scope) text(name string) string { return s.find(name).arg(1) }

// has reports whether a word occurs. keepalived ignores the value of most words that switch something on.
func (s *scope) has(name string) bool { return s.find(name) != nil }

// yes reports whether a word occurs with a value other than no, off or false.
func (s *scope) yes(name string) bool {
	return s.has(name) && !slices.Contains([]string{"no", "off", "false"}, s.text(name))
}

// fail records an error about a line that can't be understood. Only the first error is kept.
func (c *converter) fail(s *statement, what string) {
	if c.err == nil {
		c.err = s.at.wrong("%q must have %s", strings.Join(s.words, " "), what)
	}
}

// number returns the number in a line, or usual if s is nil.
func (c *converter) number(s *statement, usual float64) float64 {
	if s == nil {
		return usual
	}
	n, err := strconv.ParseFloat(s.arg(1), 64)
	if err != nil || !(n >= 0 && n < 1e9) {
		c.fail(s, "a number from 0 to 999999999")
	}
	return n
}

var methods = map[string]string{"": "masq", "NAT": "masq", "DR": "gate", "TUN": "ipip"}

// method returns the forwarding method in a line, or masq if s is nil.
func (c *converter) method(s *statement) string {
	if methods[s.arg(1)] == "" {
		c.fail(s, "NAT, DR or TUN")
	}
	return methods[s.arg(1)]
}

// host returns the address of a server, with its port. Servers of a firewall mark have no port.
func (c *converter) host(s *statement, protocol string) string {
	address, err := netip.ParseAddr(s.arg(1))
	if err != nil {
		c.fail(s, "an address")
	}
	port := s.arg(2)
	if protocol == "fwm" {
		port = ""
	}
	return host(address, port)
}

// host formats an address with its port, if there is one.
func host(address netip.Addr, port string) string {
	return strings.TrimSuffix(lvs.FormatAddr(address)+":"+port, ":")
}

// lines are directives of a section.
type lines []string

// set adds a directive, unless its value is "".
func (l *lines) set(name string, value any) {
	if value != "" {
		*l = append(*l, fmt.Sprint(name, " = ", value))
	}
}

// quote adds a directive with its value in quotes, unless the value is "".
func (l *lines) quote(name, value string) {
	if value != "" {
		l.set(name, `"`+value+`"`)
	}
}

// under returns the header of a section or a block, followed by the lines.
func (l lines) under(header string) string {
	return header + "\n        " + strings.Join(l, "\n        ") + "\n"
}
