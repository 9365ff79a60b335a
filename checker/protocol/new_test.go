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
	for _, row := range testkit.Table(t, "../../testdata/checker/unmade.txt", 3) {
		s := anySpec("negotiate")
		apply(t, &s, row[0])
		_, err := New(s, nil)
		var spec *checker.SpecError
		if !errors.As(err, &spec) || spec.Directive != row[1] || err.Error() != row[2] {
			t.Errorf("%v, want %s", err, row[2])
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
	one, _ := checker.As[*httpCheck](build(t, s, e))
	two, _ := checker.As[*httpCheck](build(t, s, e))
	testkit.Equal(t, one.receive, two.receive, "one matcher for one pattern")
}
