package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"ldirectord/director"
	"ldirectord/notify"
	"ldirectord/status"
)

// carriedTime is how long reading the connections of all servers may take.
const carriedTime = time.Second

// openControl makes the control socket. A daemon without one goes on.
func (d *daemon) openControl(ctx context.Context) {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /status", slotted(newSlots(answersAtOnce), d.answerStatus))
	routes.HandleFunc("POST /reload", ordered(takeOverTime, d.answerReload))
	routes.HandleFunc("POST /role", ordered(takeTime, func(asked context.Context, words url.Values) (any, error) {
		return d.answerRole(ctx, asked, words)
	}))
	routes.HandleFunc("POST /drain", ordered(takeTime, d.answerDrain))
	routes.HandleFunc("POST /undrain", ordered(takeTime, d.answerUndrain))
	var err error
	if d.control, err = listenAt(ctx, d.hold.Socket, routes); err != nil {
		d.control = nil
		d.unheard(err)
		return
	}
	d.unheard(d.control.allow(d.loaded.config.Global.StatusGroup))
}

func (d *daemon) closeControl() {
	if d.control != nil {
		d.unheard(d.control.close())
	}
}

// unheard tells that commands or metrics can't reach the daemon as configured.
func (d *daemon) unheard(err error) {
	if err != nil {
		d.journal.Emit(notify.Event{Kind: notify.ListenFailed, Text: fmt.Sprintf("Not listening: %v", err), Reason: err.Error()})
	}
}

// answerStatus answers a command with the report of this moment.
func (d *daemon) answerStatus(w http.ResponseWriter, r *http.Request) {
	now, err := d.director.Snapshot(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	report := status.NewReport(now, d.process(), d.carried(r.Context(), now))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(report) // an error is the client's
}

// process is what is known of the daemon besides its director.
func (d *daemon) process() status.Process {
	return status.Process{
		Config: d.path, Pid: os.Getpid(), Version: version, Started: d.reloads.started,
		Reloads: d.reloads.read(), Events: d.events.read(), Names: d.namesInVain(),
	}
}

// namesInVain are the host names that can't be looked up.
func (d *daemon) namesInVain() (list []status.Name) {
	names := d.names.Load()
	if names == nil {
		return nil
	}
	for _, n := range unanswered(*names) {
		name := status.Name{Name: n.Host, Error: n.Why}
		if n.Addr.IsValid() {
			name.Address = n.Addr.String()
		}
		list = append(list, name)
	}
	return list
}

// carried reads from the kernel what the servers carry, with a client of its own: the director's is never
// waited for. What can't be read in time is left out.
func (d *daemon) carried(ctx context.Context, now *director.Snapshot) map[director.Backend]status.Connections {
	ctx, cancel := context.WithTimeout(ctx, carriedTime)
	defer cancel()
	kernel, err := d.look(ctx)
	if err != nil || kernel == nil {
		return nil
	}
	defer kernel.Close()
	carried := map[director.Backend]status.Connections{}
	for _, v := range now.Virtuals {
		found, err := kernel.Counters(ctx, v.Key)
		if err != nil {
			return carried
		}
		for _, s := range v.Servers {
			if c, in := found[s.Addr]; in {
				carried[director.Backend{Virtual: v.ID, Real: s.Real}] = status.Connections(c)
			}
		}
	}
	return carried
}

// eventCounts counts the journal's events by their kind. It is a Notifier.
type eventCounts struct {
	mu sync.Mutex // guards n
	n  map[string]uint64
}

// newEventCounts begins those with 0 that somebody may want to hear of: the first one is a change then.
func newEventCounts() *eventCounts {
	c := &eventCounts{n: map[string]uint64{}}
	for _, kind := range []notify.Kind{
		notify.ConfigError, notify.TableError, notify.HookFailed, notify.MailFailed, notify.MonitorFailed, notify.ListenFailed,
		notify.LocalShortage, notify.Unjudged, notify.ChangedByHand, notify.Lost,
	} {
		c.n[string(kind)] = 0
	}
	return c
}

// Notify implements notify.Notifier.
func (c *eventCounts) Notify(_ context.Context, e notify.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[string(e.Kind)]++
}

func (c *eventCounts) read() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}

// reloadCounts is what became of the file each time it was read again.
type reloadCounts struct {
	started time.Time

	mu  sync.Mutex // guards now
	now status.Reloads
}

func newReloadCounts() *reloadCounts {
	begun := time.Now()
	return &reloadCounts{started: begun, now: status.Reloads{Last: begun}}
}

// note counts one reading.
func (c *reloadCounts) note(t taken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.loaded == nil {
		c.now.Refused++
		c.now.Error = t.why
		return
	}
	c.now.Succeeded++
	c.now.Last, c.now.Error = time.Now(), ""
}

func (c *reloadCounts) read() status.Reloads {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}
