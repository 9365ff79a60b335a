package checker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// dnsResend is after how long a question is asked again.
const dnsResend = time.Second

// dnsCheck looks a name up: the address of a name, the name of an address. An answer must match.
type dnsCheck struct {
	target   netip.AddrPort
	timeout  time.Duration
	tcp      bool
	question dns.Question
	receive  *matcher
}

func newDNS(s Spec, e *Env) (Checker, error) {
	receive, err := e.matcher(s.Receive)
	if err != nil {
		return nil, &SpecError{"receive", err}
	}
	name := strings.TrimPrefix(s.Request, "/")
	switch {
	case name == "":
		return always{Detail: "request names nothing to look up"}, nil
	case s.Receive == "":
		return always{Detail: "receive is empty: no answer can match it"}, nil
	}
	q, err := lookup(name)
	if err != nil {
		return always{Detail: "request: " + err.Error()}, nil
	}
	return &dnsCheck{s.Target, s.NegotiateTimeout, s.Protocol == "tcp", q, receive}, nil
}

// lookup is the question for a name or an address.
func lookup(name string) (dns.Question, error) {
	q := dns.Question{Name: dns.Fqdn(name), Qtype: dns.TypeA, Qclass: dns.ClassINET}
	if _, err := netip.ParseAddr(name); err == nil {
		q.Qtype = dns.TypePTR
		q.Name, err = dns.ReverseAddr(name)
		return q, err
	}
	if _, ok := dns.IsDomainName(q.Name); !ok {
		return q, fmt.Errorf("%s is not a domain name", escape(name, maxExcerpt))
	}
	return q, nil
}

// Check implements Checker.
func (c *dnsCheck) Check(ctx context.Context) Result {
	deadline := time.Now().Add(c.timeout)
	ask := c.overUDP
	if c.tcp {
		ask = c.overTCP
	}
	m := &dns.Msg{
		MsgHdr:   dns.MsgHdr{Id: dns.Id(), RecursionDesired: true},
		Question: []dns.Question{c.question},
	}
	answer, err := ask(ctx, m, deadline)
	if err == nil && answer.Truncated && !c.tcp {
		answer, err = c.overTCP(ctx, m, deadline)
	}
	var seen string
	if err == nil {
		seen, err = c.judge(answer, deadline)
	}
	if err != nil {
		return failed(ctx, err)
	}
	return Result{OK: true, Detail: seen}
}

func (c *dnsCheck) overUDP(ctx context.Context, m *dns.Msg, deadline time.Time) (answer *dns.Msg, err error) {
	packed, err := m.Pack()
	if err != nil {
		return nil, err
	}
	q := question{to: c.target, timeout: c.timeout, resend: dnsResend, accept: func(datagram []byte) error {
		answer, err = parseDNS(datagram, m)
		return err
	}}
	err = q.ask(ctx, deadline, func(net.Addr) []byte { return packed })
	return answer, err
}

// overTCP asks with the length in front of the message (RFC 1035, 4.2.2).
func (c *dnsCheck) overTCP(ctx context.Context, m *dns.Msg, deadline time.Time) (*dns.Msg, error) {
	packed, err := m.Pack()
	if err != nil {
		return nil, err
	}
	tcp, err := connect(ctx, c.target, deadline, c.timeout)
	if err != nil {
		return nil, err
	}
	defer tcp.Close()
	if _, err := tcp.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)); err != nil {
		return nil, stageFault("sending the question", err)
	}
	var length [2]byte
	if n, err := io.ReadFull(tcp, length[:]); err != nil {
		return nil, c.broken(n > 0, err)
	}
	raw := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(tcp, raw); err != nil {
		return nil, c.broken(true, err)
	}
	answer, err := parseDNS(raw, m)
	if errors.Is(err, errNotYet) {
		err = errors.New("not an answer to our question")
	}
	return answer, err
}

// broken explains an error while reading.
func (c *dnsCheck) broken(begun bool, err error) error {
	switch {
	case isTimeout(err) && !begun:
		return &fault{fmt.Sprintf("no answer in %v", c.timeout), err}
	case isTimeout(err):
		return &fault{"timeout in the answer", err}
	case isClosed(err) && !begun:
		return &fault{"connection closed without an answer", err}
	case isClosed(err):
		return &fault{"connection closed in the answer", err}
	}
	return stageFault("reading the answer", err)
}

// parseDNS reads the answer to a message. With errNotYet it is the answer to another.
func parseDNS(raw []byte, asked *dns.Msg) (*dns.Msg, error) {
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil && !m.Truncated {
		return nil, fmt.Errorf("not DNS: %s", excerpt(raw))
	}
	if m.Id != asked.Id || !m.Response || len(m.Question) > 0 && !sameQuestion(m.Question[0], asked.Question[0]) {
		return nil, errNotYet
	}
	return m, nil
}

func sameQuestion(a, b dns.Question) bool {
	return strings.EqualFold(a.Name, b.Name) && a.Qtype == b.Qtype && a.Qclass == b.Qclass
}

// judge compares the answers, of which addresses and names count.
func (c *dnsCheck) judge(m *dns.Msg, deadline time.Time) (string, error) {
	if m.Rcode != dns.RcodeSuccess {
		return "", fmt.Errorf("%s for %s", rcodeName(m.Rcode), c.name())
	}
	var got []string
	for _, rr := range m.Answer {
		text := dnsText(rr)
		if text == "" {
			continue
		}
		ok, err := c.receive.match([]byte(text), time.Until(deadline))
		if err != nil {
			return "", fmt.Errorf("answer does not match %s: %w", c.receive, err)
		}
		if ok {
			return c.name() + " is " + escape(text, maxExcerpt), nil
		}
		got = append(got, text)
	}
	if len(got) == 0 {
		return "", fmt.Errorf("no %s record for %s", dns.TypeToString[c.question.Qtype], c.name())
	}
	return "", fmt.Errorf("%s does not match %s: got %s", c.name(), c.receive, escape(strings.Join(got, ", "), maxExcerpt))
}

// name is what is looked up, for messages.
func (c *dnsCheck) name() string {
	return escape(strings.TrimSuffix(c.question.Name, "."), 2*maxExcerpt)
}

// dnsText is what receive is compared with.
func dnsText(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.A:
		return rr.A.String()
	case *dns.PTR:
		return strings.TrimSuffix(rr.Ptr, ".")
	}
	return ""
}

func rcodeName(code int) string {
	if name, ok := dns.RcodeToString[code]; ok {
		return name
	}
	return fmt.Sprintf("rcode %d", code)
}
