package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"ldirectord/director"
	"ldirectord/notify"
	"ldirectord/printable"
	"ldirectord/status"
)

// Limits of the address that listen names.
const (
	scrapeTimeout = 10 * time.Second // until the client has read its answer; Prometheus waits no longer
	maxScrapes    = 8                // at once
	maxProbes     = 8
	listenRetry   = time.Second
)

// metricsServer serves metrics and probes on the address of listen, if there is one.
type metricsServer struct {
	addrs   chan netip.AddrPort
	retry   time.Duration // between two tries to listen on an address that is taken
	handler http.Handler
	say     func(notify.Event)
}

// openMetrics begins to serve, until ctx is done.
func (d *daemon) openMetrics(ctx context.Context) *metricsServer {
	routes, scrapes, probes := http.NewServeMux(), newSlots(maxScrapes), newSlots(maxProbes)
	routes.HandleFunc("GET /metrics", limited(scrapes, d.answerMetrics))
	routes.HandleFunc("GET /healthz", limited(probes, d.answerAlive))
	routes.HandleFunc("GET /readyz", limited(probes, d.answerReady))
	m := &metricsServer{addrs: make(chan netip.AddrPort), retry: listenRetry, handler: routes, say: d.journal.Emit}
	go m.run(ctx)
	m.serve(ctx, d.Loaded.Config.Global.Listen)
	return m
}

// serve changes the address to listen on; an invalid one is none.
func (m *metricsServer) serve(ctx context.Context, addr netip.AddrPort) {
	select {
	case m.addrs <- addr:
	case <-ctx.Done():
	}
}

func (m *metricsServer) run(ctx context.Context) {
	var (
		addr     netip.AddrPort
		server   *http.Server // nil while there is none
		reported bool         // the failure was reported
	)
	end := func() {
		if server != nil {
			server.Close()
		}
		server, reported = nil, false
	}
	defer end()
	retry := time.NewTimer(m.retry)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-m.addrs:
			if next == addr {
				continue
			}
			end()
			addr = next
		case <-retry.C:
		}
		if server != nil || !addr.IsValid() {
			continue
		}
		var err error
		if server, err = m.listen(ctx, addr); err != nil {
			if !reported {
				m.failed(addr, err)
			}
			reported = true
			retry.Reset(m.retry)
		}
	}
}

func (m *metricsServer) listen(ctx context.Context, addr netip.AddrPort) (*http.Server, error) {
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return nil, err
	}
	server := newServer(ctx, m.handler)
	server.WriteTimeout = scrapeTimeout
	go server.Serve(listener{l})
	m.say(notify.Event{Kind: notify.Listening, Text: fmt.Sprintf("Metrics are served on %s", addr)})
	return server, nil
}

func (m *metricsServer) failed(addr netip.AddrPort, err error) {
	text := fmt.Sprintf("Not listening: metrics can't be served on %s, it is tried again: %v", addr, err)
	m.say(notify.Event{Kind: notify.ListenFailed, Text: text, Reason: err.Error()})
}

func (d *daemon) answerMetrics(w http.ResponseWriter, r *http.Request) {
	now, err := d.director.Snapshot(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", status.MetricsType)
	_ = status.WriteMetrics(w, now, d.tally.process(d.Config.Path, d.Version)) // an error is the client's
}

// answerAlive is for a liveness probe: the goroutine that decides answers.
func (d *daemon) answerAlive(w http.ResponseWriter, r *http.Request) {
	_, err := d.director.Snapshot(r.Context())
	answerProbe(w, err)
}

// answerReady is for a readiness probe: the table is as it should be.
func (d *daemon) answerReady(w http.ResponseWriter, r *http.Request) {
	answerProbe(w, d.readiness(r.Context()))
}

func (d *daemon) readiness(ctx context.Context) error {
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

// unready returns why clients are not served as configured.
func unready(now *director.Snapshot) error {
	switch {
	case now.Standby:
		return errors.New("standing by")
	case now.Unread != "":
		return fmt.Errorf("the table can't be read: %s", now.Unread)
	case now.Marks != "":
		return fmt.Errorf("mark rules can't be set: %s", now.Marks)
	}
	for _, v := range now.Virtuals {
		if v.Error != "" {
			return fmt.Errorf("the table refuses %s: %s", v.ID, v.Error)
		}
	}
	return nil
}

func answerProbe(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, printable.Line(err.Error()), http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ok\n")
}
