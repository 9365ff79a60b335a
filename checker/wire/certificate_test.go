package wire

import (
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

func TestAWarningOfACertificateChangesOnlyWhenItEnds(t *testing.T) {
	now := testkit.Time("2026-11-20T09:00:00Z")
	const oneDay = 24 * time.Hour
	for left, want := range map[time.Duration]string{
		15 * oneDay:             "",
		14*oneDay + time.Second: "",
		14 * oneDay:             "certificate of www.example.org expires on 2026-12-04",
		14*oneDay - time.Second: "certificate of www.example.org expires on 2026-12-04",
		13*oneDay + time.Second: "certificate of www.example.org expires on 2026-12-03",
		2*oneDay - time.Second:  "certificate of www.example.org expires on 2026-11-22",
		oneDay - time.Second:    "certificate of www.example.org expires on 2026-11-21",
		-time.Second:            "certificate of www.example.org expired on 2026-11-20",
		-400 * oneDay:           "certificate of www.example.org expired on 2025-10-16",
	} {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"www.example.org"},
			NotAfter: now.Add(left)}
		testkit.Equal(t, expiry(CertificateText(c), c.NotAfter, now, 14), want, left)
	}
}

// Each chain lasts as long as its certificate that expires first. The chain that lasts longest counts.
func TestTheFirstCertificateToExpire(t *testing.T) {
	at := func(day int) *x509.Certificate {
		return &x509.Certificate{NotAfter: time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)}
	}
	leaf, old, authority, root := at(20), at(3), at(10), at(28)
	state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}
	testkit.Equal(t, firstToExpire(state), leaf)
	state.VerifiedChains = [][]*x509.Certificate{{leaf, old}, {leaf, authority, root}, {leaf, old, root}}
	testkit.Equal(t, firstToExpire(state), authority)
}

func TestNamesForTLS(t *testing.T) {
	for _, c := range []struct {
		hosts             []string
		sent, certificate string
	}{
		{[]string{"", "www.example.org:443", "192.0.2.1"}, "www.example.org", "www.example.org"},
		{[]string{"", "", "192.0.2.1:443"}, "", "192.0.2.1"},
		{[]string{"", "[2001:db8::1]:443"}, "", "2001:db8::1"},
		{[]string{"192.0.2.80", "www.example.org"}, "www.example.org", "192.0.2.80"},
		{nil, "", ""},
	} {
		if sent, certificate := serverName(c.hosts...), certificateName(c.hosts...); sent != c.sent ||
			certificate != c.certificate {
			t.Errorf("%q: %q, %q", c.hosts, sent, certificate)
		}
	}
}
