package protocol

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// serveTLS is a server that makes a handshake, which may fail, and then follows a script.
func serveTLS(t *testing.T, host string, secure *tls.Config, script ...step) Spec {
	t.Helper()
	to := serveScript(t, host, func(c *client) bool {
		secured := tls.Server(c.Conn, secure)
		if secured.Handshake() != nil {
			return false
		}
		for _, next := range script {
			if !next(&client{Conn: secured, t: t}) {
				break
			}
		}
		secured.Close()
		return false
	})
	return asking(t, "tls", to, "")
}

func TestTLSJudgesTheCertificate(t *testing.T) {
	testkit.Leaks(t)
	a := newAuthority(t)
	in := func(left time.Duration) string { return wire.Day(time.Now().Add(left)) }
	words := strings.NewReplacer("{ca}", a.file, "{until}", in(time.Hour), "{tomorrow}", in(24*time.Hour),
		"{ended}", in(-time.Hour))
	certificates := map[string]*tls.Config{
		"old": oldTLS(t), "self-signed": serverTLS(t), "other": newAuthority(t).serves(t, "127.0.0.1"),
		"ended": {Certificates: []tls.Certificate{a.issue(t, "127.0.0.1", -time.Hour)}},
	}
	testkit.Rows(t, "../../testdata/checker/certificates.txt", 4, func(t *testing.T, row []string) {
		server := certificates[row[1]]
		if server == nil {
			server = a.serves(t, bare(t, row[1]))
		}
		host := "127.0.0.1"
		if row[1] == "::1" {
			host = "::1"
		}
		s := serveTLS(t, host, server)
		apply(t, &s, words.Replace(row[2]))
		expect(t, checked(t, s), words.Replace(row[3]))
	})
}

func TestTLSShowsItsCertificate(t *testing.T) {
	testkit.Leaks(t)
	a, other := newAuthority(t), newAuthority(t)
	cert, key := a.write(t, "good", a.issue(t, "director", time.Hour))
	endedCert, endedKey := a.write(t, "ended", a.issue(t, "director", -time.Hour))
	ended := wire.Day(time.Now().Add(-time.Hour))
	otherCert, otherKey := other.write(t, "other", other.issue(t, "director", time.Hour))
	for version, none := range map[uint16]string{
		tls.VersionTLS12: "down: TLS handshake: remote error: tls: handshake failure (*",
		tls.VersionTLS13: "down: TLS handshake: remote error: tls: certificate required",
	} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			for name, c := range map[string]struct {
				cert, key string
				want      string
			}{
				"good": {cert, key, "up: " + tls.VersionName(version) +
					", certificate of 127.0.0.1 until " + wire.Day(time.Now().Add(time.Hour))},
				"none": {"", "", none},
				"ended": {endedCert, endedKey,
					"shortage: TLS handshake: our certificate (tlscert) expired on " + ended},
				"other": {otherCert, otherKey,
					"down: TLS handshake: remote error: tls: unknown certificate authority"},
			} {
				t.Run(name, func(t *testing.T) {
					s := serveTLS(t, "127.0.0.1", a.demands(t, version))
					s.TLSCert, s.TLSKey = c.cert, c.key
					expect(t, checked(t, s), c.want)
				})
			}
		})
	}
}

func TestTLSDoesNotWaitForALongGoodbye(t *testing.T) {
	testkit.Leaks(t)
	s := serveTLS(t, "127.0.0.1", serverTLS(t), stay)
	r, took := timed(t, build(t, s, nil))
	if !r.OK || took > time.Second+tooLate {
		t.Errorf("%+v after %v", r, took)
	}
}

func TestWarningsOfCertificatesLeaveTheServerUp(t *testing.T) {
	testkit.Leaks(t)
	a := newAuthority(t)
	soon := &tls.Config{Certificates: []tls.Certificate{a.issue(t, "127.0.0.1", 80*time.Hour)}}
	want := "certificate of 127.0.0.1 expires on " + wire.Day(time.Now().Add(80*time.Hour))
	s := serveTLS(t, "127.0.0.1", soon)
	for days, want := range map[int]string{0: "", 3: "", 4: want} {
		s.TLSExpiryWarn = days
		if r := checked(t, s); !r.OK || r.Warning != want {
			t.Errorf("%d days: %+v", days, r)
		}
	}
	s.TLSExpiryWarn = 4
	s.TLSCert, s.TLSKey = a.write(t, "own", a.issue(t, "director", -time.Hour))
	want += "; our certificate (tlscert) expired on " + wire.Day(time.Now().Add(-time.Hour))
	testkit.Equal(t, checked(t, s).Warning, want)
	soon.Certificates[0] = a.issue(t, "127.0.0.1", 1100*time.Hour)
	s = serveTLS(t, "127.0.0.1", soon)
	s.TLSVerify, s.TLSCA, s.TLSExpiryWarn = true, a.file, 42
	want = "certificate of Test Authority expires on " + wire.Day(time.Now().Add(1000*time.Hour))
	testkit.Equal(t, checked(t, s).Warning, want)
}

// A resumed session shows the certificate of the first handshake, which the server may have replaced since. So no
// session is resumed after a warning.
func TestACertificateThatIsWarnedAboutIsShownAtEachCheck(t *testing.T) {
	testkit.Leaks(t)
	a := newAuthority(t)
	certs := []tls.Certificate{a.issue(t, "127.0.0.1", 80*time.Hour), a.issue(t, "127.0.0.1", 200*time.Hour)}
	shown := 0
	server := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		shown++
		return &certs[min(shown-1, 1)], nil
	}}
	s := serveTLS(t, "127.0.0.1", server, raw("* OK ready\r\n"))
	s.Service, s.TLSExpiryWarn = "imaps", 4
	check := build(t, s, nil)
	if r := check.Check(t.Context()); !r.OK || r.Warning == "" {
		t.Errorf("first: %+v", r)
	}
	if r := check.Check(t.Context()); !r.OK || r.Warning != "" {
		t.Errorf("second: %+v", r)
	}
}

func TestEveryServiceOverTLSKeepsTheRules(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	for _, service := range []string{"https", "imaps", "pops", "ldaps", "tls"} {
		t.Run(service, func(t *testing.T) {
			testkit.Leaks(t)
			s := serveTLS(t, "127.0.0.1", other.serves(t, "127.0.0.1"))
			s.Service, s.Request, s.URL = service, "/", "https://"+s.Target.String()+"/"
			for said, want := range map[string]string{"": "closed by the server",
				"220 mx.example.org ESMTP\r\n": "the port does not use TLS"} {
				plain := s
				plain.Target = serve(t, brief(said)).addr
				plain.URL = "https://" + plain.Target.String() + "/"
				expect(t, checked(t, plain), "down: TLS handshake: "+want)
			}
			s.TLSVerify, s.TLSCA = true, a.file
			expect(t, checked(t, s), "down: certificate refused: certificate signed by unknown authority*")
			s.TLSCA = filepath.Join(a.dir, "none")
			_, err := New(s, nil)
			var spec *checker.SpecError
			if !errors.As(err, &spec) || spec.Directive != "tlsca" || !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
		})
	}
}

func TestFilesForTLSThatAreNoGood(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.write(t, "one", a.issue(t, "director", time.Hour))
	_, otherKey := a.write(t, "two", a.issue(t, "director", time.Hour))
	none := writeFile(t, a.dir, "none.pem", "nothing\n")
	huge := writeFile(t, a.dir, "huge.pem", strings.Repeat("-", 4<<20+1))
	pipe := filepath.Join(a.dir, "pipe")
	testkit.OK(t, syscall.Mkfifo(pipe, 0o600))
	words := strings.NewReplacer("{cert}", cert, "{key}", key, "{other}", otherKey, "{none}", none, "{huge}", huge,
		"{pipe}", pipe)
	for _, row := range testkit.Table(t, "../../testdata/checker/tlsfiles.txt", 2) {
		for _, service := range []string{"https", "imaps", "ldaps", "tls"} {
			s := anySpec("negotiate")
			s.Service, s.URL = service, "https://127.0.0.1/"
			apply(t, &s, words.Replace(row[0]))
			testkit.Fails(t, testkit.Error(New(s, nil)), words.Replace(row[1]), service)
		}
	}
}

func TestAuthoritiesAreReadOnceForAllServers(t *testing.T) {
	a := newAuthority(t)
	e := &Env{}
	for _, path := range []string{a.file, ""} {
		first, err := e.authorities(path)
		if again, _ := e.authorities(path); err != nil || again != first {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// A reload only notices changes that TLSSums shows.
func TestTLSSumsTellEveryContentOfEachFile(t *testing.T) {
	sumOf := func(s Spec) string { return checker.TLSSums{}.Of(s) }
	dir := t.TempDir()
	spec := Spec{TLS: settings.TLS{TLSVerify: true, TLSCA: filepath.Join(dir, "ca"),
		TLSCert: filepath.Join(dir, "cert"), TLSKey: filepath.Join(dir, "key")}}
	now, when := map[string]string{"ca": "1", "cert": "1", "key": "1"}, time.Now()
	seen := map[string]string{sumOf(spec): "files that are not there"}
	look := func(what string) {
		for name, text := range now {
			writeFile(t, dir, name, text)
			testkit.OK(t, os.Chtimes(filepath.Join(dir, name), when, when))
		}
		sum := sumOf(spec)
		testkit.Equal(t, sumOf(spec), sum, what, "the same each time")
		if was, ok := seen[sum]; ok {
			t.Errorf("%s: the same as %s", what, was)
		}
		seen[sum] = what
	}
	look("all alike")
	for _, name := range []string{"ca", "cert", "key"} {
		now[name] = "2" // with the same time and size as before
		look("another " + name)
	}
	now["cert"], now["key"] = "2 2", "2"
	look("a longer certificate")
	now["cert"], now["key"] = "2", "2 2"
	look("a longer key")
	before := sumOf(spec)
	if spec.TLSVerify = false; sumOf(spec) == before {
		t.Error("the authority's file counts without tlsverify")
	}
	testkit.Equal(t, sumOf(Spec{TLS: settings.TLS{TLSCA: spec.TLSCA}}), "", "without files")
}
