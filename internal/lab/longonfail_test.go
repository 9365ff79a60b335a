package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	heldOnes   = 60               // number of connections, for each forwarding method and each onfail
	sendsEvery = time.Second      // between two bytes of a connection
	patience   = 20 * time.Second // how long a client may wait to know
	onFailTime = 5 * time.Second  // for the onfail with a time: with 30 s all is the same, 25 s later
	onFailSeen = 5 * time.Second  // two failures, a second apart, each with its timeout of a second, and 10 %
)

// onFails are the values of onfail, in the order of heldPorts.
var onFails = []string{"keep", fmt.Sprint(int(onFailTime.Seconds())), "cut"}

// This measures what clients with connections see when their server fails: under each onfail, each forwarding method,
// and both values of expire_nodest_conn. See docs/measured/failures.md.
func TestKernelLongOnFail(t *testing.T) {
	onlyLong(t)
	o := newOnFailLab(t)
	never, atOnce := seen{none: true}, seen{most: 1500 * time.Millisecond}
	t.Logf("%d connections in each cell: median and worst\n"+
		"| Fault | expire_nodest_conn | onfail | gate | ipip | masq |", heldOnes)
	for _, f := range []onFailFault{
		{"process killed", 1, o.signal(syscall.SIGKILL), o.serve, 3 * time.Second,
			[3]seen{atOnce, atOnce, atOnce}},
		{"unplugged", 1, o.link("down"), o.link("up"), patience,
			[3]seen{never, {least: onFailTime, most: patience}, {most: patience}}},
		{"unplugged", 0, o.link("down"), o.link("up"), patience, [3]seen{never, never, never}},
		{"overloaded: checks time out", 1, o.tells(beSlow), o.tells(beHealthy), 14 * time.Second,
			[3]seen{never, {least: onFailTime, most: onFailTime + onFailSeen + 2*sendsEvery},
				{most: onFailSeen + 2*sendsEvery}}},
		{"overloaded: checks time out", 0, o.tells(beSlow), o.tells(beHealthy), 14 * time.Second,
			[3]seen{never, never, never}},
		{"its check wrong for 5 s", 1, o.tells(beWrong), o.tells(beHealthy), 5 * time.Second,
			[3]seen{never, never, {most: 5 * time.Second}}},
	} {
		o.row(f)
	}
	o.does("stop")
}

// onFailFault is a fault of the server, and what its clients must see.
type onFailFault struct {
	name       string
	nodest     int // net.ipv4.vs.expire_nodest_conn
	fail, heal func(ns string)
	lasts      time.Duration
	want       [3]seen // in the order of onFails
}

// seen is when clients must know that their connections have ended; none: never.
type seen struct {
	least, most time.Duration
	none        bool
}

// onFailLab has one server, in a process of its own, and three virtual services for each forwarding method.
type onFailLab struct {
	*watchLab
}

var onFailLanes = []lane{dr4, tun4, nat4}

func newOnFailLab(t *testing.T) *onFailLab {
	o := &onFailLab{watchLab: newWatchLab(newTrafficLab(t), 1)}
	text := "checkinterval = 1\nchecktimeout = 1\nnegotiatetimeout = 1\nfailurecount = 2\n"
	for _, w := range onFailLanes {
		for i, port := range heldPorts {
			text += fmt.Sprintf("virtual = %s:%s\n\tonfail = %s\n\tservice = http\n"+
				"\trequest = \"check\"\n\treceive = \"OK\"\n"+
				"\tcheckport = 80\n\tscheduler = rr\n\treal = %s:%s %s\n", w.vip, port, onFails[i],
				w.real(1), port, w.forward)
		}
	}
	o.realServerScript(o.config(text), "start", 1)
	o.does("start")
	o.serving()
	return o
}

// serving waits until the server is in all virtual services.
func (o *onFailLab) serving() {
	o.t.Helper()
	var lines []string
	for _, w := range onFailLanes {
		for _, port := range heldPorts {
			lines = append(lines, fmt.Sprintf("-t %s:%s -r %s:%s -%c -w 1\n", w.vip, port, w.real(1), port,
				w.forward[0]))
		}
	}
	o.until(30*time.Second, lines...)
}

// held is a client's connection. It sends a byte every sendsEvery, and records when it ends.
type held struct {
	net.Conn
	began  time.Time
	echoed atomic.Int64  // when the last byte came back, as a time since began
	ended  chan struct{} // closed when the client knows of the end
	knows  time.Time
	how    error
	reset  atomic.Bool // a write got the reset
}

// hold opens the connections of a cell.
func (o *onFailLab) hold(w lane, port string, done *sync.WaitGroup) (all []*held) {
	o.t.Helper()
	var err error
	o.in("client", func() {
		for range heldOnes {
			h := &held{began: time.Now(), ended: make(chan struct{})}
			if h.Conn, err = dialFrom(w.client(1), "tcp", net.JoinHostPort(w.vip, port)); err != nil {
				return
			}
			h.SetDeadline(time.Time{})
			all = append(all, h)
		}
	})
	if err != nil {
		o.t.Fatalf("%s, port %s: %v\n%s", w.forward, port, err, o.table())
	}
	for i, h := range all {
		done.Go(h.listen)
		done.Go(func() { h.send(sendsEvery * time.Duration(i) / heldOnes) })
	}
	return all
}

func (h *held) listen() {
	defer close(h.ended)
	for one := make([]byte, 16); ; {
		_, err := h.Read(one)
		if err != nil {
			h.knows, h.how = time.Now(), err
			return
		}
		h.echoed.Store(int64(time.Since(h.began)))
	}
}

func (h *held) send(first time.Duration) {
	for wait := first; ; wait = sendsEvery {
		select {
		case <-h.ended:
			return
		case <-time.After(wait):
			if _, err := h.Write([]byte("x")); errors.Is(err, syscall.ECONNRESET) {
				h.reset.Store(true)
			}
		}
	}
}

// row plays a fault with connections of all methods, under each onfail.
func (o *onFailLab) row(f onFailFault) {
	o.t.Helper()
	o.sh("ip netns exec %sdir sysctl -qw net.ipv4.vs.expire_nodest_conn=%d", o.prefix, f.nodest)
	var done sync.WaitGroup
	var cells [3][3][]*held // by onfail and lane
	opened := time.Now()
	for i, port := range heldPorts {
		for j, w := range onFailLanes {
			cells[i][j] = o.hold(w, port, &done)
		}
	}
	o.allLive(cells, opened)
	failed := time.Now()
	f.fail("rs1")
	time.Sleep(f.lasts)
	lost := o.idle.since(failed)
	told := time.Now()
	var shown [3][3]string
	for i := range cells {
		for j := range cells[i] {
			shown[i][j] = o.cell(f, i, onFailLanes[j], cells[i][j], failed, lost)
		}
	}
	f.heal("rs1")
	o.serving()
	back := time.Now()
	o.settle(cells, back)
	for i, onFail := range onFails {
		line := fmt.Sprintf("| %s | %d | `%s` |", f.name, f.nodest, onFail)
		for j := range cells[i] {
			line += fmt.Sprintf(" %s%s |", shown[i][j],
				o.rest(f, i, onFailLanes[j], cells[i][j], told, back))
		}
		o.t.Log(line)
	}
	for i := range cells {
		for _, h := range slices.Concat(cells[i][:]...) {
			h.Close()
		}
	}
	done.Wait()
}

// allLive waits until each connection has got a byte back.
func (o *onFailLab) allLive(cells [3][3][]*held, since time.Time) {
	o.t.Helper()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		dead := 0
		for i := range cells {
			for _, h := range slices.Concat(cells[i][:]...) {
				if h.echoed.Load() == 0 {
					dead++
				}
			}
		}
		if dead == 0 {
			return
		}
		if time.Since(begin) > 15*time.Second {
			o.t.Fatalf("%d connections have no answer, %v after they were opened\n%s", dead,
				time.Since(since), o.ipvsadm("-Ln"))
		}
	}
}

// cell returns when the clients of one cell knew, and checks that.
func (o *onFailLab) cell(f onFailFault, onFail int, w lane, all []*held, failed time.Time, lost time.Duration) string {
	o.t.Helper()
	var took []time.Duration
	how := map[string]int{}
	for _, h := range all {
		select {
		case <-h.ended:
			took = append(took, h.knows.Sub(failed))
			how[h.end()]++
		default:
		}
	}
	want, where := f.want[onFail], fmt.Sprintf("%s, expire_nodest_conn %d, onfail %s, %s", f.name, f.nodest,
		onFails[onFail], w.forward)
	if len(took) == 0 {
		if !want.none {
			o.t.Errorf("%s: no client knows after %v", where, f.lasts)
		}
		return fmt.Sprintf("> %.0f s", f.lasts.Seconds())
	}
	slices.Sort(took)
	if want.none || len(took) < len(all) || took[0] < want.least || took[len(took)-1] > want.most+lost {
		o.t.Errorf("%s: %d of %d clients know, after %v to %v: %v; want %+v", where, len(took), len(all),
			took[0], took[len(took)-1], how, want)
	}
	var kinds []string
	for kind := range how {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return fmt.Sprintf("%.1f (%.1f) s, %s", took[len(took)/2].Seconds(), took[len(took)-1].Seconds(),
		strings.Join(kinds, " and "))
}

// settle waits until each connection has either continued or ended, but not for longer than half of patience.
func (o *onFailLab) settle(cells [3][3][]*held, back time.Time) {
	for silent := 1; silent > 0 && time.Since(back) < patience/2; time.Sleep(100 * time.Millisecond) {
		silent = 0
		for i := range cells {
			silent += count(slices.Concat(cells[i][:]...), back, back)[silently]
		}
	}
}

// These are the fates of connections whose clients knew nothing.
const (
	lives = iota // a byte came back after the server did
	cut
	silently
)

// count counts the fates of connections. Report is the time up to which clients already knew.
func count(all []*held, told, back time.Time) []int {
	n := make([]int, 3)
	for _, h := range all {
		select {
		case <-h.ended:
			if h.knows.After(told) {
				n[cut]++
			}
		default:
			if h.began.Add(time.Duration(h.echoed.Load())).After(back) {
				n[lives]++
			} else {
				n[silently]++
			}
		}
	}
	return n
}

// rest returns the fates of the connections whose clients knew nothing. None may be cut under keep, or by a check that
// was wrong for less than the time of onfail.
func (o *onFailLab) rest(f onFailFault, onFail int, w lane, all []*held, told, back time.Time) string {
	o.t.Helper()
	n := count(all, told, back)
	if f.want[onFail].none && f.lasts < patience && f.nodest == 1 && n[lives] < len(all) {
		o.t.Errorf("%s, onfail %s, %s: %d of %d connections live", f.name, onFails[onFail], w.forward, n[lives],
			len(all))
	}
	switch {
	case n[lives] == len(all):
		return ", 0 cut"
	case n[lives]+n[cut]+n[silently] == 0:
		return ""
	}
	return fmt.Sprintf(", then %d live, %d cut, %d silent", n[lives], n[cut], n[silently])
}

// end is how the client knows of the end.
func (h *held) end() string {
	switch {
	case h.reset.Load() || errors.Is(h.how, syscall.ECONNRESET):
		return "reset"
	case h.how == io.EOF:
		return "ended"
	}
	return h.how.Error()
}
