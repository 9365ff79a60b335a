package protocol

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// visitors are the headers of the requests that came to a server, by their paths.
type visitors struct {
	mu   sync.Mutex
	seen map[string]http.Header
	cert map[string]bool // by path: the request came with a client certificate
}

func (v *visitors) note(r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen == nil {
		v.seen, v.cert = map[string]http.Header{}, map[string]bool{}
	}
	v.seen[r.URL.Path] = r.Header
	v.cert[r.URL.Path] = r.TLS != nil && len(r.TLS.PeerCertificates) > 0
}

func TestARedirectLeadsNoSecretAway(t *testing.T) {
	a := newAuthority(t)
	asks := a.serves(t, "127.0.0.1")
	asks.ClientAuth = tls.RequestClientCert
	cert, key := a.write(t, "own", a.issue(t, "director", time.Hour))
	var v visitors
	page := func(w http.ResponseWriter, r *http.Request) { v.note(r); io.WriteString(w, "All good") }
	plain, secure := serveHTTP(t, nil, page), serveHTTP(t, asks, page)
	elsewhere := serveOn(t, "127.0.0.2:0", func(s *testServer, c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(s.request(c))))
		if err != nil {
			t.Error(err)
			return
		}
		v.note(r)
		io.WriteString(c, okHead+"\r\nAll good")
	})
	var to atomic.Pointer[string]
	first := func(w http.ResponseWriter, r *http.Request) {
		v.note(r)
		if r.URL.Path == "/index.html" {
			http.Redirect(w, r, *to.Load(), http.StatusFound)
			return
		}
		io.WriteString(w, "All good")
	}
	starts := map[string]netip.AddrPort{"http": serveHTTP(t, nil, first), "https": serveHTTP(t, asks, first)}
	at := strings.NewReplacer("{plain}", plain.String(), "{secure}", secure.String(), "{elsewhere}",
		elsewhere.addr.String())
	testkit.Rows(t, "../../testdata/checker/leadsaway.txt", 5, func(t *testing.T, row []string) {
		from, leads := row[1], at.Replace(row[2])
		to.Store(&leads)
		s := httpSpec(starts[from], "All good")
		s.Service, s.URL = from, fmt.Sprintf("%s://%s/index.html", from, starts[from])
		s.HTTPUser, s.HTTPPasswd, s.HTTPHeaders = "me", "s3cret", checker.ListOf("X-Token: hunter2")
		s.TLSCert, s.TLSKey = cert, key
		if r := checked(t, s); !r.OK {
			t.Fatalf("%+v", r)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		for path, secrets := range map[string]bool{"/index.html": true, row[3]: row[4] != ""} {
			h := v.seen[path]
			if (h.Get("Authorization") != "") != secrets || (h.Get("X-Token") != "") != secrets {
				t.Errorf("%s was told %v", path, h)
			}
			testkit.Equal(t, v.cert[path], secrets && from == "https", path,
				"was shown our certificate")
		}
	})
}

// peeked is a connection whose first bytes were already read into a buffer.
type peeked struct {
	net.Conn
	in *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.in.Read(b) }

// The port stays the same, but what is sent there can be read on the way.
func TestARedirectFromTLSToNoneTellsNoSecret(t *testing.T) {
	a := newAuthority(t)
	secure := a.serves(t, "127.0.0.1")
	clear := make(chan string, 1)
	server := serve(t, func(s *testServer, c net.Conn) {
		in := bufio.NewReader(c)
		first, err := in.Peek(1)
		if err != nil {
			return
		}
		seen := peeked{c, in}
		if first[0] == 'G' {
			clear <- s.request(seen)
			io.WriteString(c, okHead+"\r\nAll good")
			return
		}
		over := tls.Server(seen, secure)
		s.request(over)
		fmt.Fprintf(over, "HTTP/1.1 302 Found\r\nLocation: http://%s/\r\n\r\n", s.addr)
	})
	s := httpsSpec(server.addr, "All good")
	s.HTTPUser, s.HTTPPasswd, s.HTTPHeaders = "me", "s3cret", checker.ListOf("X-Token: hunter2")
	if r := checked(t, s); !r.OK {
		t.Fatalf("%+v", r)
	}
	if said := <-clear; strings.Contains(said, "Basic") || strings.Contains(said, "hunter2") {
		t.Errorf("said in the clear: %q", said)
	}
}

func TestAPageThatRepeatsSecretsIsNotRepeated(t *testing.T) {
	s := httpSpec(serve(t, func(s *testServer, c net.Conn) {
		request := s.request(c)
		_, fields, _ := strings.Cut(request, "close\r\n")
		fmt.Fprintf(c, "%s\r\n%s s3cret hunter2", okHead, fields)
	}).addr, "All good")
	s.HTTPUser, s.HTTPPasswd, s.HTTPHeaders = "me", "s3cret", checker.ListOf("X-Token: hunter2hunter2")
	want := `down: body does not match /All good/: got "X-Token: …\r\nAuthorization: Basic …\r\n"…`
	expect(t, checked(t, s), want)
}

func TestWarningsOfHTTPSStandTogether(t *testing.T) {
	a := newAuthority(t)
	ending := &tls.Config{Certificates: []tls.Certificate{a.issue(t, "127.0.0.1", 80*time.Hour)}}
	other := serveOn(t, "127.0.0.2:0", saying(okHead+"\r\nAll good"))
	addr := serveHTTP(t, ending, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, fmt.Sprintf("http://%s/there", other.addr), http.StatusFound)
	})
	s := httpsSpec(addr, "All good")
	s.TLSExpiryWarn = 30
	want := fmt.Sprintf("up: 200 OK; warning: redirect to http://%s/there leads away from the server being "+
		"checked; certificate of 127.0.0.1 expires on %s",
		other.addr, wire.Day(time.Now().Add(80*time.Hour)))
	expect(t, checked(t, s), want)
}
