package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/miekg/dns"
)

// fakeNames gives the program a name server that reads its answers from a file: lines of a name and an address.
// Without the file there is no name server. If the file has the word hangs, the name server never answers.
func fakeNames(path string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	server := dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, asked *dns.Msg) {
		if m := nameAnswer(asked, path); m != nil {
			_ = w.WriteMsg(m)
		}
	})}
	go func() { _ = server.ActivateAndServe() }()
	net.DefaultResolver = &net.Resolver{PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			if _, err := os.Stat(path); err != nil {
				return nil, errors.New("connection refused")
			}
			return net.Dial("tcp", l.Addr().String())
		}}
}

// nameAnswer is the answer to a question, or nil if the name server hangs.
func nameAnswer(asked *dns.Msg, path string) *dns.Msg {
	text, _ := os.ReadFile(path)
	m := new(dns.Msg).SetRcode(asked, dns.RcodeNameError)
	m.RecursionAvailable = true // an empty answer is not a referral
	for line := range strings.Lines(string(text)) {
		name, addr, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "hangs" {
			_ = os.WriteFile(path+".asked", text, 0o600) // a test may wait for it
			return nil
		}
		of := "A"
		if strings.Contains(addr, ":") {
			of = "AAAA"
		}
		if dns.Fqdn(name) != asked.Question[0].Name {
			continue
		}
		m.Rcode = dns.RcodeSuccess // also without an address of this family
		if asked.Question[0].Qtype != dns.StringToType[of] {
			continue
		}
		if rr, err := dns.NewRR(dns.Fqdn(name) + " 60 IN " + of + " " + addr); err == nil {
			m.Answer = append(m.Answer, rr)
		}
	}
	return m
}
