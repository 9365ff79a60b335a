// Alertmanager is a bridge: ldirectord's webhook posts the states of virtual services to it, and it tells Alertmanager
// (API v2) which of them and of their servers are down. README.md says how to run it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	repeat   = time.Minute     // Alertmanager forgets what is not told again …
	validity = 3 * repeat      // … within this time
	tryTime  = 5 * time.Second // for one request
	maxState = 16 << 20        // bytes
)

// state is what ldirectord posts.
type state struct {
	Virtual   string `json:"virtual"`
	Available bool   `json:"available"`
	Reason    string `json:"reason"`
	Fallback  bool   `json:"fallback"`
	Servers   []struct {
		Real   string `json:"real"`
		State  string `json:"state"`
		Reason string `json:"reason"`
	} `json:"servers"`
}

// alert is an alert of Alertmanager's API v2.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	EndsAt      time.Time         `json:"endsAt"`
}

// alerts are the alerts of a state at a moment: those that fire, then those that are over.
func alerts(s state, director string, now time.Time) (firing, over []alert) {
	add := func(fires bool, name, severity string, labels map[string]string, summary, why string) {
		a := alert{Labels: map[string]string{"alertname": name, "severity": severity, "instance": director, "virtual": s.Virtual}, EndsAt: now}
		maps.Copy(a.Labels, labels)
		if !fires {
			over = append(over, a)
			return
		}
		a.EndsAt = now.Add(validity)
		a.Annotations = map[string]string{"summary": summary, "description": why}
		firing = append(firing, a)
	}
	planned := strings.HasPrefix(s.Reason, "the director ") // it stops or stands by: another one may serve
	why := s.Reason
	if s.Fallback {
		why = strings.TrimPrefix(why+"; the fallback server serves", "; ")
	}
	add(!s.Available && !planned, "LdirectordServiceUnavailable", "critical", nil, s.Virtual+" is not available", why)
	for _, r := range s.Servers {
		add(r.State == "down" && !planned, "LdirectordServerDown", "warning", map[string]string{"real": r.Real},
			fmt.Sprintf("%s of %s is down", r.Real, s.Virtual), r.Reason)
	}
	return firing, over
}

// bridge keeps the last state of each virtual service, because Alertmanager is to be told again.
type bridge struct {
	to, director string
	mu           sync.Mutex // also orders the requests: an older state never comes after a newer one
	last         map[string]state
}

// ServeHTTP takes a state. ldirectord tries again when Alertmanager could not be told.
func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxState))
	var s state
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil || s.Virtual == "" || r.Method != http.MethodPost {
		http.Error(w, "this is no state of a virtual service", http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last[s.Virtual] = s
	firing, over := alerts(s, b.director, time.Now())
	if err := b.post(r.Context(), append(firing, over...)); err != nil {
		log.Print(err)
		http.Error(w, "Alertmanager can't be told", http.StatusBadGateway)
	}
}

// again tells Alertmanager of all that is still down.
func (b *bridge) again(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []alert
	for _, s := range b.last {
		firing, _ := alerts(s, b.director, time.Now())
		all = append(all, firing...)
	}
	if len(all) == 0 {
		return
	}
	if err := b.post(ctx, all); err != nil {
		log.Print(err)
	}
}

func (b *bridge) post(ctx context.Context, all []alert) error {
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("writing alerts: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(b.to, "/")+"/api/v2/alerts", bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("telling Alertmanager: %w", err)
	}
	q.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return fmt.Errorf("telling Alertmanager: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("telling Alertmanager: status %s", answer.Status)
	}
	return nil
}

func main() {
	host, _ := os.Hostname()
	listen := flag.String("listen", "127.0.0.1:9098", "address for webhook = http://ADDRESS/")
	to := flag.String("alertmanager", "http://127.0.0.1:9093", "URL of Alertmanager")
	director := flag.String("instance", host, "label instance of the alerts")
	flag.Parse()
	b := &bridge{to: *to, director: *director, last: map[string]state{}}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		for tick := time.NewTicker(repeat); ; {
			select {
			case <-tick.C:
				b.again(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	server := &http.Server{Addr: *listen, Handler: b, ReadTimeout: tryTime, WriteTimeout: 2 * tryTime}
	go func() { <-ctx.Done(); server.Close() }()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
