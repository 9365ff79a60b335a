package parser

import (
	"fmt"
	"slices"
	"strings"

	"ldirectord/printable"
)

// extensions fills in the section's own and holds its lines against each other.
func (r *reader) extensions(v *Virtual, s *section) {
	v.TLSVerify, v.StartTLS = s.tlsVerify == yes, s.startTLS == yes
	v.NoClearText = s.clearText == no
	v.TLSExpiryWarn = int(s.tlsExpiryWarn)
	r.together(s, "tlscert", "tlskey")
	r.together(s, "httpuser", "httppasswd")
	r.oneLogin(v, s)
	r.oneDialogue(s)
	r.engine(v, s)
}

// engine refuses the sip engine for TCP: it reads datagrams alone, and the kernel drops every other packet
// of the service (net/netfilter/ipvs/ip_vs_pe_sip.c, ip_vs_sip_fill_param).
func (r *reader) engine(v *Virtual, s *section) {
	if v.PEName != "" && v.Protocol == TCP {
		r.error(s.place(wholeSection), conflict, s.at["pename"], "pename=sip is in a service of tcp, which would lose every packet; it needs protocol=udp, or a firewall mark")
	}
}

// together refuses one of two directives that need each other.
func (r *reader) together(s *section, a, b string) {
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if s.has(pair[0]) && !s.has(pair[1]) {
			r.error(s.place(wholeSection), incomplete, s.at[pair[0]], fmt.Sprintf("%s is given without %s; it is both or neither", pair[0], pair[1]))
		}
	}
}

// readableFile reads the path of a file, with or without double quotes, that must be there.
func readableFile(field func(*section) *string) setter[section] {
	return func(s *section, v *value) *problem {
		if p := optionallyQuoted(field)(s, v); p != nil || s.opts.TryRead == nil {
			return p
		}
		if err := s.opts.TryRead(*field(s)); err != nil {
			return refuse(unreadable, "the file cannot be read (%s)", printable.Text(err.Error()))
		}
		return nil
	}
}

var (
	dnsTypes  = []string{"A", "AAAA", "MX", "NS", "TXT", "SOA", "CNAME", "PTR", "SRV"}
	dnsRcodes = []string{"NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "NOTAUTH"}
)

// upperWord reads one of a list of words in upper case, however it is written.
func upperWord(list []string, field func(*section) *string) setter[section] {
	return func(s *section, v *value) *problem {
		word := strings.ToUpper(unquote(v.text))
		if !slices.Contains(list, word) {
			return bad("%s is not allowed; it is one of %s", quote(v.text), strings.Join(list, ", "))
		}
		*field(s) = word
		return nil
	}
}
