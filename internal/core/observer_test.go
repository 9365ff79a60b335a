package core

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/lvs"
)

// The counters are read every two seconds, in one request for all observed sections. A server is suspected when its
// clients get no packet back while others do: of those by masq, and once for two lines with one address.
func TestObserve(t *testing.T) {
	const section = "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 masq\n\treal = 10.2.0.2:80 masq\n" +
		"\treal = 10.2.0.3:80 masq\n\tchecktype = connect\n\tobserve = yes\n"
	const observed = "checkinterval = 600\n" + section +
		"virtual = 10.1.0.2:80\n\treal = 10.2.0.1:80 masq\n\tchecktype = connect\n\tobserve = yes\n"
	const trouble = "30 connections in 4 s, 0 packets back; its checks pass"
	const gray = trouble + ", up, suspected: " + trouble
	instead := strings.NewReplacer
	twoLines := instead("0.3:80 masq\n", "0.3:80 gate\n\treal = 10.2.0.1:80 masq\n").Replace(section)
	reads := func(w *world) {
		w.pass(time.Minute)
		w.note("read %d times", strings.Count(w.saw(), "counters"))
	}
	// clients come to three servers; the second answers, and the third if it is asked to
	clients := func(w *world, third uint64) {
		for i, out := range []uint64{0, 30, third} {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i + 1)}), 80)
			c := w.carries[at]
			c.Traffic.Connections, c.Traffic.PacketsIn, c.Traffic.PacketsOut = c.Traffic.Connections+15,
				c.Traffic.PacketsIn+15, c.Traffic.PacketsOut+out
			w.carries[at] = c
		}
		w.pass(ObserveInterval)
	}
	suspected := func(file string) func(*world) {
		return func(w *world) {
			w.carries = map[netip.AddrPort]lvs.Counters{}
			w.reload(file)
			w.result(checker.Result{OK: true}, "")
			for range 3 {
				clients(w, 30)
			}
			w.show("Suspected State Note")
		}
	}
	const noise = "log read rules counters claim checks - answered"
	play(t, []row{
		{"yes", observed, reads, "", "\nread 30 times"},
		{"without", instead("\tobserve = yes\n", "").Replace(observed), reads, "", "\nread 0 times"},
		{"no", instead("observe = yes", "observe = no").Replace(observed), reads, "", "\nread 0 times"},
		{"gate", instead("masq", "gate").Replace(observed), reads, "", "\nread 0 times"},
		{"udp", instead("\tobserve", "\tprotocol = udp\n\tobserve").Replace(observed), reads, "",
			"\nread 0 times"},
		{"standby", observed, func(w *world) { w.SetStandby(w.now, true); reads(w) }, "", "\nread 0 times"},
		{"promoted", observed, func(w *world) {
			w.SetStandby(w.now, true)
			w.step()
			w.SetStandby(w.now,
				false)
			reads(w)
		}, "", "\nread 30 times"},
		{"one does not answer", "", suspected("checkinterval = 600\n" + section), noise, "\n" + gray + `
, up, 
, up, `},
		{"one is by gate, and one has two lines", "", suspected("checkinterval = 600\n" + twoLines), noise, `
, up, 
, up, 
, up, 
` + gray},
		{"while the table is silent nothing is forgotten, but with the entry it is", "",
			func(w *world) {
				suspected("checkinterval = 600\n" + section)(w)
				w.silent()
				w.pass(time.Minute)
				w.show("Suspected", w.first().Servers[0])
				w.answers = nil
				w.pass(30 * time.Second)
				w.show("Suspected", w.first().Servers[0])
				w.hand(lvs.DelDest, "10.2.0.1:80", 0)
				w.pass(2 * ObserveInterval)
				w.show("Suspected", w.first().Servers[0])
			}, noise, "\n" + gray + `
, up, 
, up, 
30 connections in 4 s, 0 packets back; its checks pass
30 connections in 93 s, 0 packets back; its checks pass
`},
	})
}
