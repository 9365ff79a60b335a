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
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	repeat  = time.Minute     // Alertmanager forgets what is not told again within its resolve_timeout
	tryTime = 5 * time.Second // for one request
	maxText = 16 << 20        // bytes that are read at once
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

// alert is an alert of Alertmanager's API v2. One that fires has no time: Alertmanager notes when it began. With an end
// alone it would begin there.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	EndsAt      time.Time         `json:"endsAt,omitzero"`
}

const (
	unavailable = "LdirectordServiceUnavailable"
	serverDown  = "LdirectordServerDown"
)

// alerts are the alerts of a state at a moment: those that fire, then those that are over.
func alerts(s state, director string, now time.Time) (firing, over []alert) {
	add := func(fires bool, name, severity string, labels map[string]string, summary, why string) {
		a := alert{Labels: map[string]string{"alertname": name, "severity": severity, "instance": director, "virtual": s.Virtual}}
		maps.Copy(a.Labels, labels)
		if !fires {
			a.EndsAt = now
			over = append(over, a)
			return
		}
		a.Annotations = map[string]string{"summary": summary, "description": why}
		firing = append(firing, a)
	}
	planned := strings.HasPrefix(s.Reason, "the director ") // it stops or stands by: another one may serve
	why := s.Reason
	if s.Fallback {
		why = strings.TrimPrefix(why+"; the fallback server serves", "; ")
	}
	add(!s.Available && !planned, unavailable, "critical", nil, s.Virtual+" is not available", why)
	for _, r := range s.Servers {
		add(r.State == "down" && !planned, serverDown, "warning", map[string]string{"real": r.Real},
			fmt.Sprintf("%s of %s is down", r.Real, s.Virtual), r.Reason)
	}
	return firing, over
}

// bridge keeps what fires of each virtual service, because Alertmanager is to be told again.
type bridge struct {
	to, director string
	mu           sync.Mutex // also orders the requests: an older state never comes after a newer one
	firing       map[string][]alert
	learned      bool // what fired before the bridge began is in firing
}

// ServeHTTP takes a state. ldirectord tries again when Alertmanager could not be told.
func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxText))
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
	now := time.Now()
	firing, over := alerts(s, b.director, now)
	for _, a := range b.firing[s.Virtual] { // of servers that are no longer in the service
		if !slices.ContainsFunc(slices.Concat(firing, over), func(told alert) bool { return maps.Equal(told.Labels, a.Labels) }) {
			over = append(over, alert{Labels: a.Labels, EndsAt: now})
		}
	}
	b.firing[s.Virtual] = firing
	if err := b.post(r.Context(), slices.Concat(firing, over)); err != nil {
		log.Print(err)
		http.Error(w, "Alertmanager can't be told", http.StatusBadGateway)
	}
}

// again tells Alertmanager of all that is still down.
func (b *bridge) again(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.learn(ctx); err != nil {
		log.Print(err)
	}
	all := slices.Concat(slices.Collect(maps.Values(b.firing))...)
	if len(all) == 0 {
		return
	}
	if err := b.post(ctx, all); err != nil {
		log.Print(err)
	}
}

// learn asks Alertmanager, once, what fires from before the bridge began: ldirectord tells only what changes.
func (b *bridge) learn(ctx context.Context) error {
	if b.learned {
		return nil
	}
	text, err := b.ask(ctx, http.MethodGet, "?filter="+url.QueryEscape("instance="+strconv.Quote(b.director)), nil)
	if err != nil {
		return err
	}
	var found []alert
	if err := json.Unmarshal(text, &found); err != nil {
		return fmt.Errorf("reading Alertmanager's alerts: %w", err)
	}
	before := map[string][]alert{}
	for _, a := range found {
		virtual, name := a.Labels["virtual"], a.Labels["alertname"]
		if _, newer := b.firing[virtual]; !newer && (name == unavailable || name == serverDown) {
			before[virtual] = append(before[virtual], alert{Labels: a.Labels, Annotations: a.Annotations})
		}
	}
	maps.Copy(b.firing, before)
	b.learned = true
	return nil
}

func (b *bridge) post(ctx context.Context, all []alert) error {
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("writing alerts: %w", err)
	}
	_, err = b.ask(ctx, http.MethodPost, "", text)
	return err
}

// ask makes a request to Alertmanager and returns what it answers.
func (b *bridge) ask(ctx context.Context, method, query string, text []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(b.to, "/")+"/api/v2/alerts"+query, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("asking Alertmanager: %w", err)
	}
	q.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, fmt.Errorf("asking Alertmanager: %w", err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxText))
	if answer.StatusCode/100 != 2 {
		return nil, fmt.Errorf("asking Alertmanager: status %s: %.200q", answer.Status, said)
	}
	return said, err
}

func main() {
	host, _ := os.Hostname()
	listen := flag.String("listen", "127.0.0.1:9098", "address for webhook = http://ADDRESS/")
	to := flag.String("alertmanager", "http://127.0.0.1:9093", "URL of Alertmanager")
	director := flag.String("instance", host, "label instance of the alerts")
	flag.Parse()
	b := &bridge{to: *to, director: *director, firing: map[string][]alert{}}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		for tick := time.NewTicker(repeat); ; {
			b.again(ctx)
			select {
			case <-tick.C:
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
