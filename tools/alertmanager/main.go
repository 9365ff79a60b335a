// Command alertmanager is a bridge from ldirectord's webhook to Alertmanager (API v2): it reports which virtual
// services and which of their servers are down. README.md says how to run it.
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
	"mime"
	"net"
	"net/http"
	"net/netip"
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
	maxText = 1 << 20         // bytes of a state
	maxList = 64 << 20        // bytes of Alertmanager's alerts
	maxKept = 20000           // alerts that are kept
	maxWord = 1000            // bytes of a name or a reason
	maxAsks = 16              // states at once
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

// alert is an alert of Alertmanager's API v2. One that fires has no time: Alertmanager notes when it began. If it had
// an end, Alertmanager would take that for its beginning.
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
		a := alert{Labels: map[string]string{"alertname": name, "severity": severity, "instance": director,
			"virtual": s.Virtual}}
		maps.Copy(a.Labels, labels)
		if !fires {
			a.EndsAt = now
			over = append(over, a)
			return
		}
		a.Annotations = map[string]string{"summary": summary, "description": why[:min(len(why), maxWord)]}
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

// bridge keeps the firing alerts of each virtual service, because Alertmanager must be told of them every minute.
type bridge struct {
	to, director string
	hosts        []string      // names of this machine, under which it may be asked
	asks         chan struct{} // full when too many ask

	mu      sync.Mutex // guards what follows; never held while somebody is waited for
	firing  map[string][]alert
	telling map[string]chan struct{} // services of which Alertmanager is being told; closed when it has been
	learned bool                     // what fired before the bridge began is in firing
}

func newBridge(to, director string, hosts ...string) *bridge {
	return &bridge{
		to: to, director: director, hosts: append(hosts, "localhost"), asks: make(chan struct{}, maxAsks),
		firing: map[string][]alert{}, telling: map[string]chan struct{}{},
	}
}

// isOurs reports whether a request was meant for this machine. A page in a browser could send one to a name of its own
// that leads here.
func (b *bridge) isOurs(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	named := func(ours string) bool { return strings.EqualFold(ours, host) }
	return err == nil || slices.ContainsFunc(b.hosts, named)
}

// take waits until nobody else tells Alertmanager of a service, so that an older state never comes after a newer one.
func (b *bridge) take(ctx context.Context, virtual string) error {
	for {
		b.mu.Lock()
		busy := b.telling[virtual]
		if busy == nil {
			b.telling[virtual] = make(chan struct{})
		}
		b.mu.Unlock()
		if busy == nil {
			return nil
		}
		select {
		case <-busy:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *bridge) release(virtual string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.telling[virtual])
	delete(b.telling, virtual)
}

// keep records the firing alerts of a service, and returns those recorded before. It reports whether there is room.
func (b *bridge) keep(virtual string, firing []alert) (before []alert, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before = b.firing[virtual]
	kept := len(firing) - len(before)
	for _, all := range b.firing {
		kept += max(len(all), 1)
	}
	if kept > maxKept && len(firing) > len(before) {
		return nil, false
	}
	b.firing[virtual] = firing
	if len(firing) == 0 && b.learned {
		delete(b.firing, virtual)
	}
	return before, len(b.firing) <= maxKept
}

// ServeHTTP takes a state. ldirectord tries again when Alertmanager could not be told.
func (b *bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case !b.isOurs(r.Host):
		http.Error(w, "ask by an address, localhost, or a name that -host gives", http.StatusMisdirectedRequest)
		return
	case r.Method != http.MethodPost:
		http.Error(w, "states are posted", http.StatusMethodNotAllowed)
		return
	case kind != "application/json": // which a page of another site must not post
		http.Error(w, "a state is application/json", http.StatusUnsupportedMediaType)
		return
	}
	select {
	case b.asks <- struct{}{}:
		defer func() { <-b.asks }()
	default:
		http.Error(w, "too many ask at once", http.StatusServiceUnavailable)
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxText))
	var s state
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil || s.Virtual == "" || len(s.Virtual) > maxWord {
		http.Error(w, "this is no state of a virtual service", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), tryTime)
	defer cancel()
	if b.take(ctx, s.Virtual) != nil {
		http.Error(w, "Alertmanager is still being told of it", http.StatusServiceUnavailable)
		return
	}
	defer b.release(s.Virtual)
	now := time.Now()
	firing, over := alerts(s, b.director, now)
	before, ok := b.keep(s.Virtual, firing)
	if !ok {
		http.Error(w, "too many alerts are kept", http.StatusInsufficientStorage)
		return
	}
	for _, a := range before { // of servers that are no longer in the service
		if !slices.ContainsFunc(slices.Concat(firing, over),
			func(told alert) bool { return maps.Equal(told.Labels, a.Labels) }) {
			over = append(over, alert{Labels: a.Labels, EndsAt: now})
		}
	}
	if err := b.post(ctx, slices.Concat(firing, over)); err != nil {
		log.Print(err)
		http.Error(w, "Alertmanager can't be told", http.StatusBadGateway)
	}
}

// again repeats all firing alerts to Alertmanager, except those of services of which it is being told.
func (b *bridge) again(ctx context.Context) {
	if err := b.learn(ctx); err != nil {
		log.Print(err)
	}
	var all []alert
	b.mu.Lock()
	for virtual, firing := range b.firing {
		if len(firing) > 0 && b.telling[virtual] == nil {
			b.telling[virtual] = make(chan struct{})
			defer b.release(virtual)
			all = append(all, firing...)
		}
	}
	b.mu.Unlock()
	if len(all) == 0 {
		return
	}
	if err := b.post(ctx, all); err != nil {
		log.Print(err)
	}
}

// learn asks Alertmanager which alerts were firing before the bridge began, because ldirectord tells only what changes.
// It does so until it succeeds once.
func (b *bridge) learn(ctx context.Context) error {
	b.mu.Lock()
	learned := b.learned
	b.mu.Unlock()
	if learned {
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
	b.mu.Lock()
	defer b.mu.Unlock()
	before := map[string][]alert{}
	for _, a := range found[:min(len(found), maxKept)] {
		virtual, name := a.Labels["virtual"], a.Labels["alertname"]
		if _, newer := b.firing[virtual]; !newer && (name == unavailable || name == serverDown) {
			before[virtual] = append(before[virtual], alert{Labels: a.Labels, Annotations: a.Annotations})
		}
	}
	maps.Copy(b.firing, before)
	maps.DeleteFunc(b.firing, func(_ string, firing []alert) bool { return len(firing) == 0 })
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
	q, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(b.to, "/")+"/api/v2/alerts"+query,
		bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("asking Alertmanager: %w", err)
	}
	q.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, fmt.Errorf("asking Alertmanager: %w", err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxList))
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
	name := flag.String("host", host, "name under which ldirectord asks, beside addresses and localhost")
	flag.Parse()
	b := newBridge(*to, *director, host, *name)
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
	server := &http.Server{Addr: *listen, Handler: b, ReadTimeout: tryTime, WriteTimeout: 3 * tryTime}
	go func() { <-ctx.Done(); server.Close() }()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
