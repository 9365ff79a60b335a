package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"

	"github.com/miekg/dns"
)

// fakeNames gives the program a name server that reads its answers from a file: lines of a name and an address.
// Without the file there is no name server. If the file has the word hangs, the name server never answers.
func fakeNames(path string) {
	net.DefaultResolver = &net.Resolver{PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			if _, err := os.Stat(path); err != nil {
				return nil, errors.New("connection refused")
			}
			client, server := net.Pipe()
			go answerNames(server, path)
			return client, nil
		}}
}

// answerNames answers over TCP: each message has its length in front.
func answerNames(c net.Conn, path string) {
	defer c.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		packet := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, packet); err != nil {
			return
		}
		answer, err := nameAnswer(packet, path)
		if err != nil {
			return
		}
		if answer == nil {
			continue
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))),
			answer...)); err != nil {
			return
		}
	}
}

// nameAnswer is the answer to a question, or nil if the name server hangs.
func nameAnswer(packet []byte, path string) ([]byte, error) {
	asked := new(dns.Msg)
	if err := asked.Unpack(packet); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := new(dns.Msg).SetRcode(asked, dns.RcodeNameError)
	m.RecursionAvailable = true // an empty answer is not a referral
	for line := range strings.Lines(string(text)) {
		name, addr, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "hangs" {
			return nil, nil
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
		rr, err := dns.NewRR(dns.Fqdn(name) + " 60 IN " + of + " " + addr)
		if err != nil {
			return nil, err
		}
		m.Answer = append(m.Answer, rr)
	}
	return m.Pack()
}
