package protocol

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// Each protocol is checked often, with many servers: a port that ended a connection is in use for a minute longer,
// and there are 28,000 of them for one server.
const (
	longRate    = 1000 // checks a second
	longServers = 25
)

// longHeap is how much the heap may grow, in bytes. The runtime keeps records of all goroutines of its busiest
// moment. In five minutes a leak of 12 bytes a check would exceed this.
const longHeap = 16 << 20

// longTime is how long TestLong… tests run. LONG_TESTS may set it, as 1m.
func longTime(t *testing.T) time.Duration {
	t.Helper()
	said := os.Getenv("LONG_TESTS")
	if said == "" {
		t.Skip("takes long: make test-all, make suites")
	}
	if d, err := time.ParseDuration(said); err == nil {
		return d
	}
	return 5 * time.Minute
}

func TestLongLightProtocolsLeakNothing(t *testing.T) {
	last := longTime(t)
	testkit.Leaks(t)
	checks := map[string][]Checker{}
	e := &Env{HostName: "director.example.org"}
	for _, l := range lightProtocols(t) {
		l.Type, l.NegotiateTimeout = "negotiate", inTime
		for i := range longRate {
			l.Target = l.servers[i%longServers]
			checks[l.Service] = append(checks[l.Service], build(t, l.Spec, e))
		}
	}
	idle := measure()
	checkForLong(t, checks, last/5)
	before := quiet(t, idle)
	for service, n := range checkForLong(t, checks, last-last/5) {
		rate := float64(n) / (last - last/5).Seconds()
		t.Logf("%s: %d checks, %.0f a second", service, n, rate)
		if rate < longRate/2 {
			t.Errorf("%s: %.0f checks a second: the machine is too slow", service, rate)
		}
	}
	after := quiet(t, idle)
	t.Logf("when all is quiet: heap %d kB, then %d kB; %d goroutines; %d descriptors", before.heap>>10,
		after.heap>>10, after.goroutines, after.descriptors)
	if after.heap > before.heap+longHeap {
		t.Errorf("the heap has grown from %d to %d bytes", before.heap, after.heap)
	}
}

// checkForLong makes each check once a second, and returns how many were made of each service.
func checkForLong(t *testing.T, checks map[string][]Checker, last time.Duration) (made map[string]int) {
	t.Helper()
	made = map[string]int{}
	var timed []Timed
	var services []string
	for service, all := range checks {
		for _, c := range all {
			timed = append(timed, Timed{time.Second, c})
			services = append(services, service)
		}
	}
	ctx := testkit.Within(t, last)
	RunPool(ctx, timed, func(which int, r Result) {
		made[services[which]]++
		if !r.OK && r.Detail != wire.ErrStopped.Error() {
			t.Errorf("%s: %+v", services[which], r)
		}
	})
	return made
}

// quiet waits until no more goroutines and descriptors are in use than before the first check.
func quiet(t *testing.T, idle usage) usage {
	t.Helper()
	for end := time.Now().Add(inTime); ; time.Sleep(tooLate) {
		now := measure()
		if now.goroutines <= idle.goroutines && now.descriptors <= idle.descriptors {
			return now
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines and %d descriptors are left, were %d and %d", now.goroutines,
				now.descriptors, idle.goroutines, idle.descriptors)
		}
	}
}

type usage struct {
	heap                    uint64
	goroutines, descriptors int
}

// measure counts what is in use, without what is kept for later use.
func measure() usage {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{m.HeapAlloc, len(testkit.Goroutines()), testkit.Descriptors()}
}

// light is a protocol whose checks are cheap, and servers that speak it.
type light struct {
	Spec
	servers []netip.AddrPort
}

func lightProtocols(t *testing.T) (all []light) {
	d := newDialogues(t, "../../testdata/checker/light.txt")
	for _, row := range d.rows {
		l := light{Spec: Spec{Service: row[0]}}
		apply(t, &l.Spec, row[1])
		for range longServers {
			if l.Protocol == "udp" {
				l.servers = append(l.servers, serveDatagrams(t, "127.0.0.1", d.datagrams(row[2])))
			} else {
				l.servers = append(l.servers, serveScript(t, "127.0.0.1", d.script(row[2])...))
			}
		}
		all = append(all, l)
	}
	return all
}

// skip reads lines and ignores them. The last checks end in the middle of a line.
func skip(stars string) step {
	return func(c *client) bool {
		for range stars {
			if _, err := c.read.ReadSlice('\n'); err != nil {
				return false
			}
		}
		return true
	}
}

// Checks of 500 servers with a page of a MiB each need little memory and delay no other checks.
func TestLongLargePagesLeaveTimeAndMemoryToOthers(t *testing.T) {
	last := min(longTime(t), 30*time.Second)
	const every = 5 * time.Second
	page := []byte(okHead + fmt.Sprintf("Content-Length: %d\r\n\r\n", maxText) +
		strings.Repeat("status", maxText/6+1)[:maxText])
	large := httpSpec(serve(t, func(s *testServer, c net.Conn) { s.request(c); c.Write(page) }).addr, "status.*ok")
	small := httpSpec(serve(t, saying(okHead+"\r\nOK")).addr, "OK")
	var e Env
	var timed []Timed
	for range 500 {
		timed = append(timed, Timed{2 * every, build(t, large, &e)})
	}
	var others []*punctual
	for range 50 {
		others = append(others, &punctual{Checker: build(t, small, &e), every: every})
		timed = append(timed, Timed{every, others[len(others)-1]})
	}
	ctx := testkit.Within(t, last)
	seen, peak := map[int]bool{}, uint64(0)
	RunPool(ctx, timed, func(which int, r Result) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse+m.StackInuse)
		seen[which] = true
		if r.OK != (timed[which].Every == every) || !r.Conclusive() {
			t.Errorf("%+v", r)
		}
	})
	var late time.Duration
	for _, p := range others {
		late = max(late, p.late)
	}
	t.Logf("others were late by at most %v, %d MiB were in use", late, peak>>20)
	if late > every/10 {
		t.Errorf("a check was late by %v", late)
	}
	testkit.Equal(t, len(seen), len(timed), "were checked")
	if peak > 120<<20 {
		t.Errorf("%d MiB were in use", peak>>20)
	}
}

// punctual is a checker that records how late it is called.
type punctual struct {
	Checker
	every, late time.Duration
	last        time.Time
}

func (p *punctual) Check(ctx context.Context) Result {
	now := time.Now()
	if !p.last.IsZero() {
		p.late = max(p.late, now.Sub(p.last)-p.every)
	}
	p.last = now
	return p.Checker.Check(ctx)
}
