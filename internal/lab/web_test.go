package lab

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"time"

	"ldirectord/internal/testkit"
)

// web is a web server that answers with its name, or fails in one of many ways. Checks request /check.
type web struct {
	l         *lab
	ns        string
	ports     []string // 443 with TLS
	keepAlive bool     // set at the next start
	server    *http.Server
	finish    chan struct{} // closed when long answers may end

	mu      sync.Mutex // guards the fields below
	mode    mode
	changed chan struct{} // closed when the mode changes
	passed  []time.Time   // times of good answers to checks
}

// mode is how a web server answers.
type mode string

const (
	well    mode = "well"
	slow    mode = "well, checks after 0.7 s"
	silent  mode = "not at all"
	late    mode = "after 3 s"
	broken  mode = "with status 500"
	content mode = "with another page"
	misread mode = "well, checks with status 500"
	large   mode = "with 100 kB"
)

func (l *lab) web(ns string) *web { return l.webOn(ns, "80") }

// webOn is a web server at ports of every address, in both families.
func (l *lab) webOn(ns string, ports ...string) *web {
	w := &web{l: l, ns: ns, ports: ports, mode: well, changed: make(chan struct{})}
	w.start()
	l.t.Cleanup(w.stop)
	return w
}

// webs are such servers on all three machines.
func (l *lab) webs(ports ...string) (all []*web) {
	for _, ns := range three {
		all = append(all, l.webOn(ns, ports...))
	}
	return all
}

func (w *web) start() {
	w.server, w.finish = &http.Server{Handler: w, ErrorLog: log.New(io.Discard, "", 0)}, make(chan struct{})
	w.server.SetKeepAlivesEnabled(w.keepAlive)
	for _, port := range w.ports {
		listener := w.l.listen(w.ns, ":"+port)
		if port == "443" {
			listener = tls.NewListener(listener,
				&tls.Config{Certificates: []tls.Certificate{testkit.SelfSigned(w.l.t)}})
		}
		go w.server.Serve(listener)
	}
}

func (w *web) stop() {
	w.server.Close()
	w.set(well) // ends requests that have no answer yet
}

// set changes the mode, also for requests that wait for their answers.
func (w *web) set(m mode) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.changed)
	w.mode, w.changed = m, make(chan struct{})
}

func (w *web) isWell() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mode == well || w.mode == slow
}

// ServeHTTP implements http.Handler.
func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	m, changed := w.mode, w.changed
	w.mu.Unlock()
	switch m {
	case silent:
		<-changed
		panic(http.ErrAbortHandler)
	case slow:
		if r.URL.Path == "/check" {
			time.Sleep(700 * time.Millisecond)
		}
	case late:
		time.Sleep(3 * time.Second)
	case misread:
		if r.URL.Path == "/check" {
			http.Error(rw, "no", http.StatusInternalServerError)
			return
		}
	case broken:
		http.Error(rw, "no", http.StatusInternalServerError)
		return
	case large:
		io.WriteString(rw, strings.Repeat("0123456789", 10_000)+"the end")
		return
	case content:
		fmt.Fprintf(rw, "%s wrong\n", w.ns)
		return
	}
	if r.URL.Path == "/drip" {
		rw.Header().Set("Server", w.ns)
		drip(rw, r, w.finish)
		return
	}
	if r.URL.Path == "/status" { // requested by the examples
		fmt.Fprintf(rw, "%s database: ok\n", w.ns)
		return
	}
	fmt.Fprintf(rw, "%s OK\n", w.ns)
	if r.URL.Path == "/check" && (m == well || m == slow) {
		w.mu.Lock()
		w.passed = append(w.passed, time.Now())
		w.mu.Unlock()
	}
}

// drip answers a little at a time, until the client leaves or finish is closed.
func drip(rw http.ResponseWriter, r *http.Request, finish <-chan struct{}) {
	for r.Context().Err() == nil {
		fmt.Fprintln(rw, "drip")
		rw.(http.Flusher).Flush()
		select {
		case <-finish:
			fmt.Fprintln(rw, "the end")
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// passedAfter is the time of the first good answer to a check after a time; zero if there was none.
func (w *web) passedAfter(t time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.passed {
		if p.After(t) {
			return p
		}
	}
	return time.Time{}
}
