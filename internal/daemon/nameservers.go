package daemon

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/miekg/dns"

	"ldirectord/internal/runfile"
)

const noHost = "no such host" // as package net says

// nameServers asks the name servers of resolv.conf as package net does, but never looks into the hosts file.
type nameServers struct {
	*dns.ClientConfig
	by    *net.Resolver
	qtype uint16
}

// askServers looks a name up in one search domain after the other.
func askServers(ctx context.Context, by *net.Resolver, name string, ipv6 bool) ([]netip.Addr, error) {
	if !asksServers(hostSources()) {
		return nil, &net.DNSError{Err: noHost, Name: name, IsNotFound: true}
	}
	text, err := os.ReadFile("/etc/resolv.conf")
	if runfile.MayPass(err) {
		return nil, err
	}
	n := nameServers{by: by, qtype: dns.TypeA}
	if n.ClientConfig, err = dns.ClientConfigFromReader(bytes.NewReader(text)); err != nil {
		return nil, err
	}
	if len(n.Servers) == 0 {
		n.Servers = []string{"127.0.0.1"} // see resolv.conf(5)
	}
	if ipv6 {
		n.qtype = dns.TypeAAAA
	}
	failed := &net.DNSError{Err: noHost, Name: name, IsNotFound: true}
	for _, full := range n.NameList(name) {
		if _, ok := dns.IsDomainName(full); !ok { // with "search ." there is one that ends in two dots
			continue
		}
		addrs, err := n.ask(ctx, full)
		if err == nil {
			return addrs, nil
		}
		if by.StrictErrors && !err.IsNotFound {
			return nil, err
		}
		if failed.IsNotFound {
			failed = err
		}
	}
	return nil, failed
}

// ask asks for a full name until a server answers.
func (n nameServers) ask(ctx context.Context, name string) (addrs []netip.Addr, err *net.DNSError) {
	for range n.Attempts {
		for _, server := range n.Servers {
			server = net.JoinHostPort(server, n.Port)
			if addrs, err = n.addresses(ctx, server, name); err == nil || err.IsNotFound {
				return addrs, err
			}
		}
	}
	return nil, err
}

// addresses returns the addresses that a server has for a name.
func (n nameServers) addresses(ctx context.Context, server, name string) (addrs []netip.Addr, _ *net.DNSError) {
	failed := &net.DNSError{Name: name, Server: server}
	answer, err := n.exchange(ctx, "udp", server, name)
	if err == nil && answer.Truncated {
		answer, err = n.exchange(ctx, "tcp", server, name)
	}
	if err != nil {
		failed.Err = err.Error()
		return nil, failed
	}
	refers := answer.Rcode == dns.RcodeSuccess && len(answer.Answer) == 0 &&
		!answer.Authoritative && !answer.RecursionAvailable
	if refers || answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError {
		failed.Err = "server misbehaving"
		return nil, failed
	}
	for _, record := range answer.Answer {
		var ip net.IP
		switch r := record.(type) {
		case *dns.A:
			ip = r.A
		case *dns.AAAA:
			ip = r.AAAA
		}
		if addr, ok := netip.AddrFromSlice(ip); ok {
			addrs = append(addrs, addr.Unmap())
		}
	}
	if len(addrs) > 0 {
		return addrs, nil
	}
	failed.Err, failed.IsNotFound = noHost, true
	return nil, failed
}

func (n nameServers) exchange(ctx context.Context, network, server, name string) (*dns.Msg, error) {
	timeout := time.Duration(n.Timeout) * time.Second
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := n.by.Dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	client, question := dns.Client{Timeout: timeout}, new(dns.Msg).SetQuestion(name, n.qtype)
	answer, _, err := client.ExchangeWithConnContext(ctx, question, &dns.Conn{Conn: conn})
	return answer, err
}
