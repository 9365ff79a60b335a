package protocol

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"ldirectord/checker/wire"
)

// dnsResend is the wait before a question is sent again.
const dnsResend = time.Second

// dnsCheck looks up the address of a name, the name of an address, or a record of another type. A record must match,
// unless only the answer code decides.
type dnsCheck struct {
	server
	tcp     bool
	asked   dns.Question
	rcode   int
	byRcode bool // only the code decides
	receive *matcher
}

func newDNS(s Spec, _ *Env, receive *matcher) (Checker, error) {
	name := strings.TrimPrefix(s.Request, "/")
	question, err := lookup(name, dns.StringToType[s.DNSType])
	switch {
	case name == "":
		return always{Detail: "request is empty: there is nothing to look up"}, nil
	case s.Receive == "" && s.DNSType == "" && s.DNSRcode == "":
		return always{Stage: wire.AtMatch, Detail: "receive is empty: no answer can match it"}, nil
	case err != nil:
		return always{Detail: "request: " + err.Error()}, nil
	}
	return &dnsCheck{
		server:  serverOf(s),
		tcp:     s.Protocol == "tcp",
		asked:   question,
		rcode:   dns.StringToRcode[s.DNSRcode],
		byRcode: s.DNSRcode != "" && s.Receive == "",
		receive: receive,
	}, nil
}

// lookup returns the question for a name or an address. If qtype is 0, the question asks for the address of a name or
// the name of an address.
func lookup(name string, qtype uint16) (dns.Question, error) {
	q := dns.Question{Name: dns.Fqdn(name), Qtype: cmp.Or(qtype, dns.TypeA), Qclass: dns.ClassINET}
	if _, err := netip.ParseAddr(name); err == nil && (qtype == 0 || qtype == dns.TypePTR) {
		q.Qtype = dns.TypePTR
		q.Name, err = dns.ReverseAddr(name)
		return q, err
	}
	var packed [256]byte
	if _, err := dns.PackDomainName(q.Name, packed[:], 0, nil, false); err != nil {
		return q, fmt.Errorf("%s is not a domain name", wire.Show(name))
	}
	var err error
	q.Name, _, err = dns.UnpackDomainName(packed[:], 0) // so that it is escaped like the name in the answer
	return q, err
}

// Check implements Checker.
func (c *dnsCheck) Check(ctx context.Context) Result {
	ask := c.overUDP
	if c.tcp {
		ask = c.overTCP
	}
	m := &dns.Msg{
		MsgHdr:   dns.MsgHdr{Id: dns.Id(), RecursionDesired: true},
		Question: []dns.Question{c.asked},
	}
	packed, _ := m.Pack() // lookup has packed the name before
	answer, err := ask(ctx, m, packed)
	if err == nil && answer.Truncated && !c.tcp {
		answer, err = c.overTCP(ctx, m, packed)
	}
	if err != nil {
		return failed(err)
	}
	return concluded(c.judge(ctx, answer))
}

func (c *dnsCheck) overUDP(ctx context.Context, m *dns.Msg, packed []byte) (answer *dns.Msg, err error) {
	q := c.question(dnsResend)
	q.Accept = func(datagram []byte) error {
		answer, err = parseDNS(datagram, m)
		return err
	}
	err = q.Ask(ctx, func(*wire.Conn) []byte { return packed })
	return answer, err
}

// overTCP sends the question over TCP, where each message is preceded by its length (RFC 1035, 4.2.2).
func (c *dnsCheck) overTCP(ctx context.Context, m *dns.Msg, packed []byte) (*dns.Msg, error) {
	tcp, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer tcp.Close()
	question := append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...)
	if err := tcp.Send("the question", question); err != nil {
		return nil, err
	}
	raw := make([]byte, 2)
	begun, err := io.ReadFull(tcp, raw)
	if err == nil {
		raw = make([]byte, binary.BigEndian.Uint16(raw))
		_, err = io.ReadFull(tcp, raw)
	}
	if err != nil {
		return nil, wire.ReadFault("the answer", begun > 0, c.timeout, err)
	}
	answer, err := parseDNS(raw, m)
	if errors.Is(err, wire.ErrNotYet) {
		err = errors.New("not an answer to our question")
	}
	return answer, err
}

// parseDNS parses the answer to a message. For an answer to another question it returns wire.ErrNotYet without parsing
// the records, which may be thousands of long names.
func parseDNS(raw []byte, asked *dns.Msg) (*dns.Msg, error) {
	err := beginsDNS(raw, asked)
	if errors.Is(err, wire.ErrNotYet) {
		return nil, err
	}
	m := new(dns.Msg)
	if err != nil || m.Unpack(raw) != nil && !m.Truncated {
		return nil, fmt.Errorf("not DNS: %s", wire.Excerpt(raw))
	}
	return m, nil
}

// beginsDNS validates the header of a message and its question, if there is one (RFC 1035, 4.1).
func beginsDNS(raw []byte, asked *dns.Msg) error {
	const header, response = 12, 0x80
	if len(raw) < header {
		return io.ErrUnexpectedEOF
	}
	questions := binary.BigEndian.Uint16(raw[4:])
	switch {
	case questions > 1:
		return errors.New("several questions")
	case binary.BigEndian.Uint16(raw) != asked.Id, raw[2]&response == 0:
		return wire.ErrNotYet
	case questions == 0:
		return nil
	}
	name, end, err := dns.UnpackDomainName(raw, header)
	if err != nil || len(raw) < end+4 {
		return io.ErrUnexpectedEOF
	}
	q := asked.Question[0]
	if !strings.EqualFold(name, q.Name) || binary.BigEndian.Uint16(raw[end:]) != q.Qtype ||
		binary.BigEndian.Uint16(raw[end+2:]) != q.Qclass {
		return wire.ErrNotYet
	}
	return nil
}

// judge compares an answer's code, and its records of the requested type, with the settings.
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
	found := search{ctx: ctx, matcher: c.receive}
	for _, rr := range m.Answer {
		if rr.Header().Rrtype != c.asked.Qtype {
			continue // formatting some records takes time quadratic in their length
		}
		text := dnsText(rr)
		if text == "" {
			continue
		}
		ok, err := found.match([]byte(text))
		if err != nil {
			return "", err
		}
		if ok {
			return c.name() + " is " + wire.Show(text), nil
		}
		got = append(got, text)
	}
	if len(got) == 0 {
		return "", fmt.Errorf("no %s record for %s", dns.TypeToString[c.asked.Qtype], c.name())
	}
	return "", mismatch("%s does not match %s: got %s", c.name(), c.receive,
		wire.Show(strings.Join(got, ", ")))
}

// name returns the name in the question, for messages.
func (c *dnsCheck) name() string {
	return wire.Escape(dnsName(c.asked.Name), 2*wire.MaxExcerpt)
}

// dnsText returns the text to compare with receive: a record's data as in a zone file (RFC 1035, 5.1), but without the
// trailing dot of a name and without quotes.
func dnsText(rr dns.RR) string {
	switch rr := rr.(type) {
	case *dns.TXT:
		return strings.Join(rr.Txt, "")
	case *dns.SOA:
		return fmt.Sprintf("%s %s %d %d %d %d %d", dnsName(rr.Ns), dnsName(rr.Mbox), rr.Serial, rr.Refresh,
			rr.Retry, rr.Expire, rr.Minttl)
	default:
		return dnsName(strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
}

// dnsName returns a name without its trailing dot.
func dnsName(name string) string { return strings.TrimSuffix(name, ".") }

func rcodeName(code int) string {
	return cmp.Or(dns.RcodeToString[code], fmt.Sprintf("rcode %d", code))
}
