package protocol

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/internal/testkit"
)

func selfSignedRSA(t testing.TB) tls.Certificate {
	t.Helper()
	key := testkit.Must(rsa.GenerateKey(rand.Reader, 2048))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1),
		KeyUsage: x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature}
	der := testkit.Must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))(t)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func anySpec(kind string) Spec {
	return Spec{
		Type: kind, Service: "none", Protocol: "tcp", Target: netip.MustParseAddrPort("127.0.0.1:1"),
		Timeout: time.Second, NegotiateTimeout: time.Second, Attempts: 1, Connects: 1,
	}
}

func TestNewBuildsEveryTypeAndService(t *testing.T) {
	e := &Env{Pinger: icmp.NewPinger()}
	for _, kind := range Types() {
		sealed := build(t, anySpec(kind), e) // it catches panics and removes passwords from results
		testkit.Equal(t, fmt.Sprintf("%T", sealed), "*seal.sealed", kind)
	}
	for _, service := range Services() {
		for _, kind := range []string{"negotiate", "combined"} {
			s := anySpec(kind)
			s.Service = service
			if _, err := New(s, e); err != nil {
				t.Errorf("%s %s: %v", kind, service, err)
			}
		}
	}
	if !slices.Contains(Services(), "oracle") {
		t.Error("oracle is not among the services")
	}
}

func TestNewNamesTheDirectiveAtFault(t *testing.T) {
	for _, c := range []struct {
		change    func(*Spec)
		directive string
		text      string
	}{
		{func(s *Spec) { s.Type = "telepathy" }, "checktype", `checktype: unknown type "telepathy"`},
		{func(s *Spec) { s.Type = "ping" }, "checktype", "checktype: no ping is possible here"},
		{func(s *Spec) { s.Type, s.Protocol = "connect", "udp" }, "checktype",
			"checktype: no ping is possible here"},
		{func(s *Spec) { s.Service = "gopher" }, "service", `service: unknown service "gopher"`},
		{func(s *Spec) { s.Service, s.Receive = "http", "a(b" }, "receive",
			"receive: unmatched (, at character 2 of the pattern"},
		{func(s *Spec) { s.Type, s.Service, s.Receive = "combined", "https", "*" }, "receive",
			"receive: quantifier * follows nothing, at character 1 of the pattern"},
	} {
		s := anySpec("negotiate")
		c.change(&s)
		_, err := New(s, nil)
		var spec *checker.SpecError
		if !errors.As(err, &spec) || spec.Directive != c.directive || err.Error() != c.text {
			t.Errorf("%v, want %s", err, c.text)
		}
	}
}

func TestOnOffAndNoneAskNobody(t *testing.T) {
	for kind, up := range map[string]bool{"on": true, "off": false, "negotiate": true, "combined": true} {
		s := anySpec(kind)
		if r := checked(t, s); r.OK != up || r.Cause == checker.Shortage {
			t.Errorf("%s: %+v", kind, r)
		}
	}
}

func TestEqualPatternsAreCompiledOnce(t *testing.T) {
	e := &Env{}
	s := httpSpec(netip.MustParseAddrPort("127.0.0.1:80"), "a+b")
	one, two := checker.Bare(build(t, s, e)).(*httpCheck), checker.Bare(build(t, s, e)).(*httpCheck)
	if one.receive != two.receive {
		t.Error("two matchers for one pattern")
	}
}
