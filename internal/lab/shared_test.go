package lab

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// All servers share a database, as in civitai 4076. It can bear a few servers that fill their pools of connections,
// and stalls when all do so at once. Then every check fails, and when the database works again, all servers come back
// in the same interval. In this test it first stalls by itself. The further stalls are caused by the servers. The
// first row has no remedy.
func TestKernelLongSharedDatabase(t *testing.T) {
	onlyLong(t)
	w := newWeights(t, 5)
	db := &database{}
	var servers []*pooled
	for _, name := range w.all {
		one := &pooled{db: db, name: name}
		w.webs[name].server.Handler = one
		servers = append(servers, one)
	}
	for _, row := range []struct {
		what, settings string
		most           int // the largest number of further stalls; negative: at least one
	}{
		{"none of these", "", -1},
		{"`pace = 1/3`", "pace = 1/3\n", 0},
		{"`slowstart = 20`", "slowstart = 20\n", 0},
		{"`holddown = 20`", "holddown = 20\n", 1},
	} {
		db.repair()
		for _, one := range servers {
			one.fill()
		}
		w.serve(40, "        scheduler = wrr\n") // all servers are in the table
		w.serve(40, "        scheduler = wrr\n        "+row.settings)
		c := w.traffic()
		time.Sleep(2 * time.Second)
		start := time.Now()
		db.stall()
		time.Sleep(15 * time.Second)
		end, stalls := time.Now(), db.stalls()-1
		time.Sleep(500 * time.Millisecond)
		failed := 0
		requests := c.end()
		for _, r := range requests {
			if r.failure != "" && r.start.After(start) && r.start.Before(end) {
				failed++
			}
		}
		if row.most < 0 && stalls == 0 || row.most >= 0 && stalls > row.most {
			t.Errorf("%s: %d further stalls", row.what, stalls)
		}
		w.note(row.what, "%d further stalls in 15 s, %d requests failed", stalls, failed)
	}
	w.report()
}

const (
	pool    = 5               // number of connections that a server opens to the database with its first requests
	bears   = 20              // number of connections that may be opened within a second
	stalled = 2 * time.Second // how long the database then gives no answers
)

// database is a database that all servers share. It stalls if too many connections are opened within a second.
type database struct {
	mu     sync.Mutex
	opened []time.Time
	until  time.Time // end of the stall
	times  int       // number of stalls
}

func (d *database) stall() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begin(time.Now())
}

func (d *database) begin(now time.Time) {
	d.until, d.opened = now.Add(stalled), nil
	d.times++
}

func (d *database) repair() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until, d.opened, d.times = time.Time{}, nil, 0
}

func (d *database) stalls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.times
}

// ask makes a query, which may open a connection. It reports whether the database answers, and how often it has
// stalled.
func (d *database) ask(opens bool) (works bool, times int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if now.Before(d.until) {
		return false, d.times
	}
	if !opens {
		return true, d.times
	}
	d.opened = append(d.opened, now)
	for now.Sub(d.opened[0]) > time.Second {
		d.opened = d.opened[1:]
	}
	if len(d.opened) > bears {
		d.begin(now)
		return false, d.times
	}
	return true, d.times
}

// pooled is a web server with a pool of connections to the database. They are lost when the database stalls.
type pooled struct {
	db   *database
	name string

	mu    sync.Mutex
	open  int // number of open connections
	times int // number of stalls when they were opened
}

// fill opens all connections of the pool, as if the server had done so one by one.
func (p *pooled) fill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open, p.times = pool, p.db.stalls()
}

func (p *pooled) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	opens := p.open < pool && !strings.HasPrefix(r.URL.Path, "/check") // the check has a connection of its own
	works, times := p.db.ask(opens)
	if times != p.times {
		p.times, p.open = times, 0
	} else if works && opens {
		p.open++
	}
	if !works {
		http.Error(rw, "no", http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(rw, "%s OK\n", p.name)
}
