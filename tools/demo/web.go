package main

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// ports to try upwards from the wanted one before giving up.
const portsTried = 200

// listen opens the wanted loopback address, or the next one whose port is free.
func listen(wanted netip.AddrPort) (net.Listener, error) {
	var last error
	for port := int(wanted.Port()); port < int(wanted.Port())+portsTried && port <= 65535; port++ {
		l, err := net.Listen("tcp", netip.AddrPortFrom(wanted.Addr(), uint16(port)).String())
		if err == nil {
			return l, nil
		}
		last = err
	}
	return nil, fmt.Errorf("no free port from %s on: %w", wanted, last)
}

// web is a web server that can be stopped, started again on its address, and made to fail.
// start and stop are not for several goroutines at once.
type web struct {
	name    string
	addr    string
	page    int    // status of its pages while it is healthy
	text    string // what its pages say
	failing atomic.Bool
	server  *http.Server // nil while stopped
}

// openWeb starts a web server on the wanted address or a free one above it.
func openWeb(name string, wanted netip.AddrPort, page int, text string) (*web, error) {
	l, err := listen(wanted)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w := &web{name: name, addr: l.Addr().String(), page: page, text: text}
	w.serve(l)
	return w, nil
}

func (w *web) running() bool { return w.server != nil }

// start opens a stopped server again, as one that answers or one that fails.
func (w *web) start(failing bool) error {
	w.failing.Store(failing)
	if w.running() {
		return nil
	}
	l, err := net.Listen("tcp", w.addr)
	if err != nil {
		return fmt.Errorf("start %s: %w", w.name, err)
	}
	w.serve(l)
	return nil
}

// stop closes the port and every open connection, as the end of the process would.
func (w *web) stop() {
	if w.running() {
		w.server.Close()
		w.server = nil
	}
}

func (w *web) serve(l net.Listener) {
	w.server = &http.Server{Handler: w, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second}
	// One request a connection, so that each one is balanced on its own.
	w.server.SetKeepAlivesEnabled(false)
	go w.server.Serve(l)
}

// ServeHTTP answers /health for the daemon and everything else for people.
func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Header().Set("Server", w.name)
	switch {
	case w.failing.Load():
		http.Error(rw, w.name+" is out of order.", http.StatusServiceUnavailable)
	case r.URL.Path == "/health":
		fmt.Fprintln(rw, "fine")
	default:
		rw.WriteHeader(w.page)
		fmt.Fprintln(rw, w.text)
	}
}
