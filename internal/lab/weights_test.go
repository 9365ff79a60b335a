package lab

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// Weights that change with time, with real packets: a short ramp, and an agent without silence.
// docs/measured/weights.md has all results.
func TestKernelWeights(t *testing.T) {
	w := newWeights(t, 3)
	w.rampByWRR(2, 4)
	w.tells(0)
	w.report()
}

// All rows of the page.
func TestKernelLongWeights(t *testing.T) {
	onlyLong(t)
	w := newWeights(t, 3)
	w.rampByWRR(10, 30)
	for _, scheduler := range []string{"wlc", "sed"} {
		w.rampUnder(scheduler, 20, 15)
	}
	w.tells(5 * time.Second)
	w.report()
}

// weightsLab is the lab with servers whose weights change, and the results.
type weightsLab struct {
	*lab
	webs map[string]*web
	all  []string // names of the servers
	rows []string
}

func newWeights(t *testing.T, servers int) *weightsLab {
	w := &weightsLab{lab: newLabOf(t, servers), webs: map[string]*web{}}
	for n := range servers {
		name := fmt.Sprintf("rs%d", n+1)
		w.all = append(w.all, name)
		w.webs[name] = w.web(name)
	}
	return w
}

// serve starts the daemon or reloads it, with settings of the section. It waits until all servers have their weight.
func (w *weightsLab) serve(weight int, settings string) {
	w.t.Helper()
	var reals strings.Builder
	var wanted []string
	for _, name := range w.all {
		fmt.Fprintf(&reals, "        real = %s masq %d\n", address(name), weight)
		wanted = append(wanted, fmt.Sprintf("%s -m -w %d", entry(name), weight))
	}
	w.config(fmt.Sprintf("checkinterval = 1\nchecktimeout = 2\nnegotiatetimeout = 2\nvirtual = %s:80\n"+
		"%s%s"+
		"        service = http\n        request = \"check\"\n        receive = \"OK\"\n", natVIP,
		reals.String(), settings))
	if w.pid() == 0 {
		w.does("start")
		w.t.Cleanup(func() { w.does("stop") })
	} else {
		w.does("reload")
	}
	w.until(2*bound, wanted...)
}

// note adds a row to the table that the test prints.
func (w *weightsLab) note(what, format string, args ...any) {
	w.rows = append(w.rows, fmt.Sprintf("| %s | %s |\n", what, fmt.Sprintf(format, args...)))
}

func (w *weightsLab) report() {
	w.t.Log("\n| What happens | Measured |\n|---|---|\n" + strings.Join(w.rows, ""))
}

// share is a server's weight and its connections in the kernel.
type share struct{ weight, active int }

// shares are the shares of all servers at one moment.
func (w *weightsLab) shares() map[string]share {
	all := map[string]share{}
	for _, service := range w.read() {
		for _, d := range service.Dests {
			name := fmt.Sprintf("rs%d", d.Addr.Addr().As4()[3]-20)
			all[name] = share{int(d.Weight), int(service.Counters[d.Addr].Active)}
		}
	}
	return all
}

func total(all map[string]share) (weight, active int) {
	for _, s := range all {
		weight, active = weight+s.weight, active+s.active
	}
	return weight, active
}

// restart makes a server fail and come back, and waits until it is in the table again. It returns the time.
func (w *weightsLab) restart(name string) time.Time {
	w.t.Helper()
	w.webs[name].stop()
	w.until(bound, "no "+entry(name))
	w.webs[name].start()
	w.until(bound, entry(name)+" -m -w")
	return time.Now()
}

// newConnections counts n requests of a client, each over a new connection, by the server that answered.
func (w *weightsLab) newConnections(n int) map[string]int {
	w.t.Helper()
	got := map[string]int{}
	w.in("client", func() {
		for range n {
			got[getFrom(netip.MustParseAddr(clientAddress), "http://"+natVIP+":80/")]++
		}
	})
	return got
}

// rampByWRR: while a server climbs, wrr shares new connections by its current weight. That is measured over three
// whole cycles.
func (w *weightsLab) rampByWRR(weight, slowstart int) {
	w.t.Helper()
	w.serve(weight, fmt.Sprintf("        scheduler = wrr\n        slowstart = %d\n", slowstart))
	start, worst, measured := w.restart("rs3"), 0.0, []int{}
	for end := start.Add(time.Duration(slowstart)*time.Second + 20*time.Second); ; {
		before := weightsOf(w.shares())
		if slices.Contains(measured, before["rs3"]) && time.Now().Before(end) {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		all := 0
		for _, one := range before {
			all += one
		}
		cycles := 3
		got := w.newConnections(cycles * all)
		if after := weightsOf(w.shares()); !maps.Equal(before, after) {
			continue // the weights changed during the cycles
		}
		for _, name := range w.all {
			want := float64(cycles * before[name])
			if off := max(want-float64(got[name]), float64(got[name])-want) / want; off > worst {
				worst = off
			}
		}
		measured = append(measured, before["rs3"])
		if before["rs3"] == weight || time.Now().After(end) {
			break
		}
	}
	took := time.Since(start)
	if worst > 0.1 {
		w.t.Errorf("wrr: shares of new connections are off by %.2f of what the weights say", worst)
	}
	if !slices.IsSorted(measured) || measured[0] == weight || measured[len(measured)-1] != weight {
		w.t.Errorf("weights measured while it climbs: %v, want some below %d, and at the end %[2]d", measured,
			weight)
	}
	steps := time.Duration(weight)
	climb := time.Duration(slowstart) * time.Second * (steps - 1) / steps
	if took < climb-2*time.Second {
		w.t.Errorf("wrr: at full weight after only %v", took)
	}
	w.note(fmt.Sprintf("a server of three comes back, `slowstart = %d`, weight %d, wrr", slowstart, weight),
		"new connections of three whole cycles at %d weights: each share is at most %.0f %% off", len(measured),
		100*worst)
}

func weightsOf(all map[string]share) map[string]int {
	weights := map[string]int{}
	for name, s := range all {
		weights[name] = s.weight
	}
	return weights
}

// rampUnder: while a server climbs and connections stay open, it never has more than the share of its weight plus one.
func (w *weightsLab) rampUnder(scheduler string, weight, slowstart int) {
	w.t.Helper()
	w.serve(weight, fmt.Sprintf("        scheduler = %s\n        slowstart = %d\n", scheduler, slowstart))
	w.webs["rs3"].stop()
	w.until(bound, "no "+entry("rs3"))
	var open []net.Conn
	defer func() {
		for _, conn := range open {
			conn.Close()
		}
	}()
	hold := func() {
		open = append(open, w.lasting())
	}
	for range 40 {
		hold()
	}
	w.webs["rs3"].start()
	w.until(bound, entry("rs3")+" -m -w")
	most, first := 0.0, 0
	for end := time.Now().Add(time.Duration(slowstart)*time.Second + 20*time.Second); time.Now().Before(end); {
		hold()
		all := w.shares()
		weights, active := total(all)
		one := all["rs3"]
		over := float64(one.active) - float64(active*one.weight)/float64(weights)
		if most = max(most, over); over > 1 {
			w.t.Errorf("%s: %d of %d connections at weight %d of %d", scheduler, one.active, active,
				one.weight, weights)
		}
		if first == 0 {
			first = one.weight
		}
		if one.weight == weight {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if first == 0 || first == weight {
		w.t.Errorf("%s: the first weight seen is %d", scheduler, first)
	}
	w.note(fmt.Sprintf("… `slowstart = %d`, weight %d, %s, connections that stay", slowstart, weight, scheduler),
		"%d connections; the server has at most %.1f more than the share of its weight", len(open), most)
}

// lasting opens a connection that its server keeps open.
func (w *weightsLab) lasting() net.Conn {
	w.t.Helper()
	conn := w.dial(netip.MustParseAddr(clientAddress), "tcp", natVIP+":80")
	conn.SetDeadline(time.Now().Add(5 * time.Minute))
	fmt.Fprint(conn, "GET /drip HTTP/1.0\r\n\r\n")
	testkit.OK(w.t, testkit.Error(conn.Read(make([]byte, 1))))
	return conn
}
