package protocol

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/checker/seal"
	"ldirectord/checker/wire"
)

// reached lists the stages that a check reached, in their order.
func reached(s wire.Stages) string {
	var names []string
	for m, at := range s {
		if at > 0 {
			names = append(names, wire.Mark(m).String())
		}
	}
	return strings.Join(names, ", ")
}

func TestStagesOfGoodServers(t *testing.T) {
	page := func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("fine")) }
	plain, secure := serveHTTP(t, nil, page), serveHTTP(t, serverTLS(t), page)
	mail := serveScript(t, "127.0.0.1",
		dialogues{t: t}.script("< 220 mail; > EHLO [127.0.0.1]; < 250 mail; > QUIT; < 221 bye")...)
	names := serveDatagrams(t, "127.0.0.1", namesGood)
	onHTTP := func(to netip.AddrPort, url string) Spec {
		s := httpSpec(to, "fine")
		s.URL = url
		return s
	}
	for name, c := range map[string]struct {
		spec Spec
		want string
	}{
		"http": {onHTTP(plain, "http://"+plain.String()+"/"),
			"connect, sent, first byte, whole answer, match"},
		"by name": {onHTTP(plain, "http://localhost:"+port(plain)+"/"),
			"lookup, connect, sent, first byte, whole answer, match"},
		"https": {onHTTP(secure, "https://"+secure.String()+"/"),
			"connect, TLS, sent, first byte, whole answer, match"},
		"connect": {connectSpec(plain), "connect"},
		"smtp": {asking(t, "smtp", mail, ""),
			"connect, sent, first byte, whole answer, match"},
		"dns": {asking(t, "dns", names, "protocol=udp; request=/a.example; receive=192"),
			"sent, first byte, whole answer, match"},
		"off": {Spec{Type: "on"}, ""},
	} {
		if name == "by name" && !knowsLocalhost() {
			t.Log(noLocalhost)
			continue
		}
		for way, made := range map[string]Checker{"in a goroutine": build(t, c.spec, &Env{HostName: "x"}),
			"in the loop": looped{build(t, c.spec, &Env{HostName: "x"})}} {
			if r := made.Check(t.Context()); !r.OK || reached(r.Stages) != c.want {
				t.Errorf("%s %s: %v %s: %s\nwant %s", name, way, r.OK, r.Detail, reached(r.Stages),
					c.want)
			} else if left := time.Until(time.Unix(r.CertEnd, 0)); (r.CertEnd != 0) != (name == "https") ||
				r.CertEnd != 0 && (left < time.Minute || left > 25*time.Hour) {
				t.Errorf("%s %s: its certificate expires at %d", name, way, r.CertEnd)
			} else if (r.Cert != 0) != (name == "https") {
				t.Errorf("%s %s: the checksum of its certificate is %d", name, way, r.Cert)
			}
			if name == "smtp" { // its server serves one connection
				break
			}
		}
	}
}

func port(a netip.AddrPort) string { _, p, _ := strings.Cut(a.String(), ":"); return p }

// Each stage is reached after the one before, and none after the end of the check.
func TestStagesAreInOrder(t *testing.T) {
	const slow = 200 * time.Millisecond // the client may notice half of it on a busy machine
	to := serveHTTP(t, serverTLS(t), func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(slow)
		w.Write([]byte("fine"))
		w.(http.Flusher).Flush()
		time.Sleep(slow)
		w.Write([]byte(" and over"))
	})
	s := httpSpec(to, "over")
	s.URL = "https://" + to.String() + "/"
	r := looped{build(t, s, nil)}.Check(t.Context())
	last := uint32(0)
	for m, at := range r.Stages {
		if at < last {
			t.Errorf("%v at %d µs, before %d", wire.Mark(m), at, last)
		}
		last = at
	}
	marks := r.Stages
	if marks[wire.MarkFirstByte]-marks[wire.MarkSent] < uint32(slow.Microseconds()/2) ||
		marks[wire.MarkAnswer]-marks[wire.MarkFirstByte] < uint32(slow.Microseconds()/2) {
		t.Errorf("%v: each took %v", marks, slow)
	}
	if took := uint32(r.Took.Microseconds()); last > took+1 {
		t.Errorf("the end after %d µs, took %d", last, took)
	}
}

// A check in a goroutine makes one allocation for its stages; a check in the loop makes none.
func TestStagesCostOneAllocation(t *testing.T) {
	c := seal.New(always{OK: true}, Spec{}, new(seal.Secrets))
	if n := testing.AllocsPerRun(100, func() { c.Check(context.Background()) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
