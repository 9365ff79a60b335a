package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/page"
	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
	"ldirectord/internal/socket"
	"ldirectord/internal/status"
	"ldirectord/internal/view"
	"ldirectord/parser"
)

// Limits for clients of the listen address.
const (
	scrapeTimeout = 10 * time.Second // until a client has read its answer; Prometheus waits no longer by default
	maxScrapes    = 8                // scrapes at once
	maxProbes     = 8
	maxReaders    = 4           // readers of the page at once
	listenRetry   = time.Second // between two attempts to listen
)

// metricsServer serves metrics, probes and the page on the listen address, if there is one. Only one goroutine at a
// time may call follow.
type metricsServer struct {
	d       *daemon
	end     func() // stops serving; may be called repeatedly
	handler http.Handler
	global  atomic.Pointer[parser.Global] // the global directives in force
	traffic page.Traffic
}

// openMetrics starts a server for metrics, which runs until ctx is done.
func (d *daemon) openMetrics(ctx context.Context) *metricsServer {
	routes, scrapes, probes := http.NewServeMux(), socket.Limiter(maxScrapes), socket.Limiter(maxProbes)
	routes.HandleFunc("GET /metrics", scrapes(d.answerMetrics))
	routes.HandleFunc("GET /healthz", probes(answerProbe(d.director.Answers)))
	routes.HandleFunc("GET /readyz", probes(answerProbe(d.ready)))
	m := &metricsServer{d: d, end: func() {}}
	m.handler = m.withPage(routes)
	m.follow(ctx, d.Loaded.Config.Global)
	go m.lookAtTraffic(ctx)
	return m
}

// lookAtTraffic records the traffic that the status page shows, until ctx is done.
func (m *metricsServer) lookAtTraffic(ctx context.Context) {
	for runfile.Pause(ctx, page.Interval) {
		if !m.global.Load().StatusPage {
			continue
		}
		now, err := m.d.director.Snapshot(ctx)
		if err == nil && m.d.count(ctx, now) == nil {
			m.traffic.Look(time.Now(), now)
		}
	}
}

// withPage adds the status page to the routes. The page is served only while statuspage allows it. Only the page
// refuses requests for unknown host names, because Prometheus and probes may use any name of this machine.
func (m *metricsServer) withPage(routes *http.ServeMux) http.HandlerFunc {
	all, readers := http.NewServeMux(), socket.Limiter(maxReaders)
	pages := &page.Pages{Report: m.d.report, Why: m.d.why, Traffic: &m.traffic,
		Host: func() string { return m.global.Load().StatusHost }}
	all.Handle("/", routes)
	all.HandleFunc("GET /{$}", readers(pages.Page))
	all.HandleFunc("GET /status.json", readers(pages.Status))
	all.HandleFunc("GET /why.json", readers(pages.Because))
	return func(w http.ResponseWriter, r *http.Request) {
		if m.global.Load().StatusPage {
			all.ServeHTTP(w, r)
		} else {
			routes.ServeHTTP(w, r)
		}
	}
}

// follow serves metrics on the listen address of a configuration. When it returns, the daemon has stopped listening on
// any former address.
func (m *metricsServer) follow(ctx context.Context, global parser.Global) {
	before := m.global.Swap(&global)
	if before != nil && before.Listen == global.Listen {
		return
	}
	m.end()
	if !global.Listen.IsValid() {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { m.run(ctx, global.Listen); close(ended) }()
	m.end = func() { cancel(); <-ended }
}

// run listens on an address until ctx is done. If that fails, as when the address is in use, run reports it once and
// keeps trying.
func (m *metricsServer) run(ctx context.Context, addr netip.AddrPort) {
	network := "tcp"
	if addr.Addr().Is4() { // with tcp, 0.0.0.0 would include [::]
		network = "tcp4"
	}
	what := fmt.Sprintf("Metrics can't be served on %s; trying again", addr)
	for reported := false; ; reported = true {
		l, err := net.Listen(network, addr.String())
		if err == nil {
			server := socket.NewServer(ctx, m.handler)
			server.WriteTimeout = scrapeTimeout
			go socket.Serve(server, l)
			m.d.journal.Emit(notify.Event{Kind: notify.Listening, Key: what,
				Text: fmt.Sprintf("Metrics are served on %s", addr)})
			<-ctx.Done()
			server.Close()
			return
		}
		if !reported {
			m.d.failed(notify.ListenFailed, what, err)
		}
		if !runfile.Pause(ctx, listenRetry) {
			m.d.tally.over(notify.ListenFailed, what)
			return
		}
	}
}

func (d *daemon) answerMetrics(w http.ResponseWriter, r *http.Request) {
	now, err := d.director.Snapshot(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	now.Await(d.orders.waiting())
	w.Header().Set("Content-Type", status.MetricsType)
	_ = status.WriteMetrics(w, now, d.process()) // an error concerns only the client
}

// answerProbe answers 200 if failed returns no error, else 503.
func answerProbe(failed func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := failed(r.Context()); err != nil {
			http.Error(w, printable.Line(err.Error()), http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "ok\n")
	}
}

// ready answers a readiness probe: it returns an error if clients are not served as configured.
func (d *daemon) ready(ctx context.Context) error {
	select {
	case <-d.director.Started():
	default:
		return errors.New("starting")
	}
	now, err := d.director.Snapshot(ctx)
	if err != nil {
		return err
	}
	return unready(now)
}

// unready returns the reason why clients are not served as configured, or nil if they are.
func unready(now *view.Snapshot) error {
	switch {
	case now.Standby:
		return errors.New("standing by")
	case now.Unread != "":
		return fmt.Errorf("the table can't be read: %s", now.Unread)
	case now.Marks != "":
		return fmt.Errorf("mark rules can't be set: %s", now.Marks)
	}
	serves := len(now.Virtuals) == 0
	for _, v := range now.Virtuals {
		if v.Error != "" {
			return fmt.Errorf("the table refuses %s: %s", v.ID, v.Error)
		}
		serves = serves || !v.Nothing
	}
	if !serves {
		return errors.New("no virtual service is served: clients get nothing")
	}
	return nil
}
