package protocol

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
)

// mySeed is the random data that a MySQL log-in is scrambled with.
const mySeed = "abcdefghijklmnopqrst"

// myAsksForPassword is a server that asks for the password encrypted with the server's own key, and records it.
func myAsksForPassword(t *testing.T, plugin string) func(*testServer, net.Conn) {
	key := testkit.Must(rsa.GenerateKey(rand.Reader, 2048))(t)
	der := testkit.Must(x509.MarshalPKIXPublicKey(key.Public()))(t)
	return myUntilLogin(func(s *testServer, c net.Conn) {
		number := 2
		say := func(body string) {
			io.WriteString(c, myPackets(number, body))
			number += 2
		}
		say("\xfe" + plugin + "\x00" + mySeed + "\x00")
		asked := myHear(c)
		if plugin == "caching_sha2_password" {
			say("\x01\x04") // full authentication
			asked = myHear(c)
		}
		if asked == "" { // the check has ended
			return
		}
		testkit.Equal(t, len(asked), 1, plugin, "the key is asked for", asked)
		say("\x01" + toPEM("PUBLIC KEY", der))
		got := myHear(c)
		if got == "" {
			return
		}
		text, err := rsa.DecryptOAEP(sha1.New(), nil, key, []byte(got), nil)
		if err != nil {
			t.Errorf("%s: %v", plugin, err)
		}
		for i := range text {
			text[i] ^= mySeed[i%len(mySeed)]
		}
		s.keep("password " + strings.TrimRight(string(text), "\x00"))
		say(myOK)
		myHear(c)
		io.WriteString(c, myPackets(1, myFound...))
		myHear(c)
	})
}

// A server, or an attacker in its place, may ask for the password in a form that it can read.
func TestAPasswordGoesOutInClearOnlyIfItMay(t *testing.T) {
	const warning = "the server asks for the password in clear text; cleartext=no refuses that"
	for name, c := range map[string]struct {
		spec   Spec
		treat  func(*testServer, net.Conn)
		hidden bool // TLS covers it
	}{
		"caching_sha2_password": {goodMySQL, myAsksForPassword(t, "caching_sha2_password"), false},
		"sha256_password":       {goodMySQL, myAsksForPassword(t, "sha256_password"), false},
		"pgsql":                 {goodPgSQL, pgAsking(nil, false), false},
		"pgsql by TLS":          {goodPgSQL, pgAsking(serverTLS(t), false), true},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Leaks(t)
			server := serve(t, c.treat)
			told := func() []string {
				return slices.DeleteFunc(slices.Clone(server.asked()),
					func(said string) bool { return !strings.HasPrefix(said, "password ") })
			}
			s, twice := c.spec, slices.Repeat([]string{"password " + c.spec.Passwd}, 2)
			s.Target = server.addr
			check := build(t, s, nil)
			for range 2 { // both checks send the same, so the warning is reported once
				r := check.Check(t.Context())
				if !r.OK || (r.Warning == warning) == c.hidden {
					t.Errorf("it may: %+v", r)
				}
			}
			testkit.Same(t, told(), twice, "it may")
			s.NoClearText = true
			r := checked(t, s)
			if c.hidden {
				expect(t, r, "up: SELECT returned a row")
				return
			}
			expect(t, r, "down: login: the server asks for the password in clear text, "+
				"which cleartext=no refuses")
			testkit.Equal(t, r.Cause, checker.Answer)
			testkit.Same(t, told(), twice, "it may not any more")
		})
	}
}

// The MySQL driver takes every public key for an RSA key.
func TestAKeyOfAnotherKindIsNoMySQL(t *testing.T) {
	der := testkit.Must(x509.MarshalPKIXPublicKey(newKey(t).Public()))(t)
	key := "\x01" + toPEM("PUBLIC KEY", der)
	for plugin, says := range map[string]string{
		"sha256_password":       myPackets(4, key),
		"caching_sha2_password": myPackets(4, "\x01\x04") + myPackets(6, key),
	} {
		t.Run(plugin, func(t *testing.T) {
			testkit.Leaks(t)
			s := goodMySQL
			s.Target = serve(t, myUntilLogin(
				heedless(myPackets(2, "\xfe"+plugin+"\x00"+mySeed+"\x00")+says))).addr
			expect(t, checked(t, s), "down: login: this is not MySQL: *")
		})
	}
}
