package lab

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// Name servers and SIP proxies, with datagrams.
func (m *matrix) datagrams(t *testing.T) {
	l := m.lab.with(t)
	for n, ns := range three {
		for _, w := range []lane{dr4, dr6} {
			for _, at := range []string{w.vip, w.real(n + 1)} { // answers come from the same address
				l.datagrams(ns, net.JoinHostPort(at, "53"),
					func(question []byte) []byte { return dnsAnswer(ns, question) })
				l.datagrams(ns, net.JoinHostPort(at, "5060"),
					func(question []byte) []byte { return sipAnswer(ns, question) })
			}
		}
	}
	l.start(l.example("udp.cf") + sections(udpServices, dr6))
	l.untilServers(4*3, "-w 0")
	for _, w := range []lane{dr4, dr6} {
		m.row(t, "dns: each packet of a client goes where it is scheduled (ops)", w, "address",
			func(t *testing.T) {
				l := l.with(t)
				conn := l.dial(w.client(m.clients(1)[0]), "udp", net.JoinHostPort(w.vip, "53"))
				answers := map[string]int{}
				for range 12 {
					answers[dnsAsk(conn)]++
				}
				if answers["rs1"] != 4 || answers["rs2"] != 4 || answers["rs3"] != 4 {
					t.Errorf("answers of %v, want 4 of each server", answers)
				}
			})
		m.row(t, "sip: a call goes to one server, whoever sends (pename = sip)", w, "address",
			func(t *testing.T) {
				l := l.with(t)
				var answers []map[string]int
				for call := range manyClients {
					got := map[string]int{}
					for _, n := range m.clients(3) {
						conn := l.dial(w.client(n), "udp", net.JoinHostPort(w.vip, "5060"))
						got[sipAsk(conn, fmt.Sprintf("call-%d-%s", call, w.family))]++
					}
					answers = append(answers, got)
				}
				sticks(t, answers)
			})
		m.row(t, "sip: the calls of one client are spread (pename = sip)", w, "address", func(t *testing.T) {
			conn := l.with(t).dial(w.client(m.clients(1)[0]), "udp", net.JoinHostPort(w.vip, "5060"))
			answers := map[string]int{}
			for call := range manyClients {
				answers[sipAsk(conn, fmt.Sprintf("one-%d-%s", call, w.family))]++
			}
			answeredBy(t, answers, "rs1", "rs2", "rs3")
		})
	}
}

const udpServices = `
VIRTUAL = ADDRESS:53
        REALS:53
        protocol = udp
        scheduler = rr
        ops = yes
        service = dns
        request = "www.example.com"
        receive = "192\.0\.2\."
VIRTUAL = ADDRESS:5060
        REALS:5060
        protocol = udp
        scheduler = rr
        persistent = 600
        pename = sip
        netmask = 1
        ops = yes
        service = sip
`

// datagrams runs a server that answers each datagram to an address.
func (l *lab) datagrams(ns, address string, answer func([]byte) []byte) {
	conn := madeIn(l, ns, func() (net.PacketConn, error) { return net.ListenPacket("udp", address) })
	l.t.Cleanup(func() { conn.Close() })
	go func() {
		buffer := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			conn.WriteTo(answer(buffer[:n]), from)
		}
	}()
}

// exchange sends a datagram and returns the answer, or the error.
func exchange(conn net.Conn, question []byte) ([]byte, error) {
	if _, err := conn.Write(question); err != nil {
		return nil, err
	}
	buffer := make([]byte, 2048)
	n, err := conn.Read(buffer)
	return buffer[:n], err
}

// dnsAnswer has the server's name in an additional record.
func dnsAnswer(ns string, question []byte) []byte {
	q := new(dns.Msg)
	if q.Unpack(question) != nil || len(q.Question) != 1 {
		return nil
	}
	a := new(dns.Msg).SetReply(q)
	for _, record := range []string{"A 192.0.2.80", "TXT " + ns} {
		if rr, err := dns.NewRR(q.Question[0].Name + " 60 IN " + record); err == nil {
			a.Answer = append(a.Answer, rr)
		}
	}
	answer, _ := a.Pack()
	return answer
}

func dnsAsk(conn net.Conn) string {
	question, err := new(dns.Msg).SetQuestion("www.example.com.", dns.TypeA).Pack()
	if err != nil {
		return err.Error()
	}
	answer, err := exchange(conn, question)
	if err != nil {
		return err.Error()
	}
	a := new(dns.Msg)
	if err := a.Unpack(answer); err != nil {
		return err.Error()
	}
	for _, rr := range a.Answer {
		if txt, ok := rr.(*dns.TXT); ok {
			return strings.Join(txt.Txt, "")
		}
	}
	return "no name"
}

// sipAnswer repeats the fields that RFC 3261, 8.2.6.2 requires, and has the server's name.
func sipAnswer(ns string, question []byte) []byte {
	answer := "SIP/2.0 200 OK\r\n"
	for line := range strings.SplitSeq(string(question), "\r\n") {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "Via", "From", "To", "Call-ID", "CSeq":
			answer += line + "\r\n"
		}
	}
	return []byte(answer + "Server: " + ns + "\r\nContent-Length: 0\r\n\r\n")
}

func sipAsk(conn net.Conn, call string) string {
	from := conn.LocalAddr().String()
	answer, err := exchange(conn, fmt.Appendf(nil, "OPTIONS sip:user@example.com SIP/2.0\r\n"+
		"Via: SIP/2.0/UDP %[1]s;branch=z9hG4bK-%[1]s\r\nMax-Forwards: 70\r\nTo: <sip:user@example.com>\r\n"+
		"From: <sip:caller@example.com>;tag=1\r\nCall-ID: %[2]s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n"+
		"\r\n", from, call))
	if err != nil {
		return err.Error()
	}
	_, name, _ := strings.Cut(string(answer), "\r\nServer: ")
	name, _, _ = strings.Cut(name, "\r\n")
	return name
}
