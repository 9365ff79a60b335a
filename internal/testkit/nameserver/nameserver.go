// Package nameserver is the name server of tests. It is not in testkit, because it needs a library.
package nameserver

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"ldirectord/internal/testkit"
)

// Serve answers as a name server, until the test ends, with what says returns for a name: addresses, before which
// there may be a word for an answer that is not a good one.
//
//	none     there is no such name
//	fails    SERVFAIL
//	refuses  REFUSED
//	refers   to other name servers, without an address
//	cut      only the first address over UDP
//	cutoff   so, and fails over TCP
//	part     only the first address, marked as cut over TCP as well
//	half     there is one address more, by the header alone
//	silent   there is no answer
func Serve(t testing.TB, packets net.PacketConn, streams net.Listener, says func(name string) string) {
	for _, server := range []*dns.Server{{PacketConn: packets}, {Listener: streams}} {
		server.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, asked *dns.Msg) {
			_, isStream := w.RemoteAddr().(*net.TCPAddr)
			if packet := answer(t, asked, says(asked.Question[0].Name), isStream); packet != nil {
				_, _ = w.Write(packet) // who asks may be gone
			}
		})
		go func() { _ = server.ActivateAndServe() }()
		t.Cleanup(func() { _ = server.Shutdown() })
	}
}

const probe = "probe.example." // a name that the server of Use has

// Use starts a name server on loopback, see Serve, and has names looked up there until the test ends. It returns the
// address of the server. It skips the test where package net asks no name server, as with hosts: files in
// nsswitch.conf.
func Use(t testing.TB, says func(name string) string) (server string) {
	t.Helper()
	packets := testkit.Must(net.ListenPacket("udp", "127.0.0.1:0"))(t)
	streams, err := net.Listen("tcp", packets.LocalAddr().String())
	if err != nil {
		t.Skip("the port is taken for TCP: ", err)
	}
	var probed atomic.Bool
	Serve(t, packets, streams, func(name string) string {
		if name == probe {
			probed.Store(true)
			return "127.0.0.1"
		}
		return says(name)
	})
	server = packets.LocalAddr().String()
	Ask(t, server)
	_, err = net.DefaultResolver.LookupHost(t.Context(), probe)
	if !probed.Load() {
		t.Skip("no name server is asked:", err)
	}
	testkit.OK(t, err, probe)
	return server
}

// asked is the address of the name server of the test that runs; nil: those of resolv.conf are asked.
var asked atomic.Pointer[string]

// The resolver is replaced only here: a look-up that a test gave up may still use it when the test ends.
func init() {
	net.DefaultResolver = &net.Resolver{PreferGo: true,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if server := asked.Load(); server != nil {
				address = *server
			}
			return (&net.Dialer{Resolver: new(net.Resolver)}).DialContext(ctx, network, address)
		}}
}

// Ask has names looked up at a name server until the test ends.
func Ask(t testing.TB, server string) {
	before := asked.Swap(&server)
	t.Cleanup(func() { asked.Store(before) })
}

// configured is set in a process that has a resolv.conf of the test.
const configured = "NAMESERVER_TEST_CONFIGURED"

// Configured plays the test again, in a process whose resolv.conf has this text, and reports whether this is that
// process.
func Configured(t testing.TB, text string) bool {
	t.Helper()
	if os.Getenv(configured) != "" {
		return true
	}
	path := filepath.Join(t.TempDir(), "resolv.conf")
	testkit.Write(t, path, text)
	const bound = `mount --bind "$0" /etc/resolv.conf && exec "$@"`
	testkit.Again(t, configured+"=yes", "unshare", "-r", "-m", "sh", "-c", bound, path)
	return false
}

// answer is an answer in these words; nil for none.
func answer(t testing.TB, asked *dns.Msg, words string, isStream bool) []byte {
	question, m := asked.Question[0], new(dns.Msg).SetReply(asked)
	m.RecursionAvailable = true
	manner, addrs := "", strings.Fields(words)
	if len(addrs) > 0 && !strings.ContainsAny(addrs[0], ".:") {
		manner, addrs = addrs[0], addrs[1:]
	}
	for _, addr := range addrs {
		kind := "A"
		if strings.Contains(addr, ":") {
			kind = "AAAA"
		}
		if dns.StringToType[kind] == question.Qtype {
			m.Answer = append(m.Answer, testkit.Must(dns.NewRR(question.Name+" "+kind+" "+addr))(t))
		}
	}
	m.Rcode = map[string]int{"none": dns.RcodeNameError, "fails": dns.RcodeServerFailure,
		"refuses": dns.RcodeRefused}[manner]
	isCut := manner == "part" || !isStream && slices.Contains([]string{"cut", "cutoff"}, manner)
	switch {
	case manner == "silent":
		return nil
	case manner == "refers":
		m.RecursionAvailable, m.Answer = false, nil
	case isCut:
		m.Truncated, m.Answer = true, m.Answer[:min(1, len(m.Answer))]
	case manner == "cutoff":
		m.Rcode = dns.RcodeServerFailure
	}
	packet := testkit.Must(m.Pack())(t)
	if manner == "half" {
		packet[7]++ // the number of answers
	}
	return packet
}
