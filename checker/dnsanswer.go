package checker

import (
	"context"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// judge compares the code of an answer, and its records of the type that was asked for.
func (c *dnsCheck) judge(ctx context.Context, m *dns.Msg) (string, error) {
	switch {
	case m.Rcode != c.rcode && c.rcode == dns.RcodeSuccess:
		return "", fmt.Errorf("%s for %s", rcodeName(m.Rcode), c.name())
	case m.Rcode != c.rcode:
		return "", fmt.Errorf("%s for %s, want %s", rcodeName(m.Rcode), c.name(), rcodeName(c.rcode))
	case c.byRcode:
		return rcodeName(m.Rcode) + " for " + c.name(), nil
	}
	var got []string
	found := search{matcher: c.receive}
	for _, rr := range m.Answer {
		text := dnsText(rr)
		if text == "" || rr.Header().Rrtype != c.question.Qtype {
			continue
		}
		ok, err := c.matches(ctx, &found, text)
		if err != nil {
			return "", err
		}
		if ok {
			return c.name() + " is " + escape(text, maxExcerpt), nil
		}
		got = append(got, text)
	}
	if len(got) == 0 {
		return "", fmt.Errorf("no %s record for %s", dns.TypeToString[c.question.Qtype], c.name())
	}
	return "", mismatch("%s does not match %s: got %s", c.name(), c.receive, escape(strings.Join(got, ", "), maxExcerpt))
}

func (c *dnsCheck) matches(ctx context.Context, found *search, text string) (bool, error) {
	if c.receive == nil {
		return true, nil
	}
	return found.match(ctx, []byte(text))
}

// name is what is looked up, for messages.
func (c *dnsCheck) name() string {
	return escape(strings.TrimSuffix(c.question.Name, "."), 2*maxExcerpt)
}

// dnsTypes are the record types that can be asked for.
var dnsTypes = []uint16{
	dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeNS, dns.TypeTXT, dns.TypeSOA, dns.TypeCNAME, dns.TypePTR, dns.TypeSRV,
}

// dnsText is what receive is compared with: a record's data as a zone file has it (RFC 1035, 5.1), but
// names without their last dot, and text without quotes.
func dnsText(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.TXT:
		return strings.Join(rr.Txt, "")
	case *dns.SOA:
		return fmt.Sprintf("%s %s %d %d %d %d %d", dnsName(rr.Ns), dnsName(rr.Mbox), rr.Serial, rr.Refresh, rr.Retry, rr.Expire, rr.Minttl)
	default:
		return dnsName(strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
}

// dnsName is a name without its last dot.
func dnsName(name string) string { return strings.TrimSuffix(name, ".") }

func rcodeName(code int) string {
	if name, ok := dns.RcodeToString[code]; ok {
		return name
	}
	return fmt.Sprintf("rcode %d", code)
}
