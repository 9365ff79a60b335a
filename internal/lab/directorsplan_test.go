package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// Several directors announce the virtual addresses, with BIRD. The test measures what clients see of changes, as in
// docs/directors.md.
func TestDirectors(t *testing.T) {
	f := newFleet(t, bird)
	testkit.Contains(t, f.directors[0].run(exitOK, "../../examples/bgp/ldirectord.cf", "check"), "no errors",
		"the example is not good")
	f.start(fleetConfig)
	f.plays(fleetRow{name: "nothing happens", bounds: nothing, happens: func() {}})
	f.daemonsComeAndGo()
	f.machinesDie()
	f.ordersAreObeyed()
	f.serversDie()
	f.directorsReturn()
	f.start(guarded + fleetConfig)
	f.lastResorts()
}

// The same with FRR, for a few of the changes.
func TestDirectorsFRR(t *testing.T) {
	f := newFleet(t, frr)
	f.start(fleetConfig)
	f.dies(1, vip)
	f.withdraws(2, vip)
	f.start(guarded + fleetConfig)
	f.checksFail()
}

func (f *fleet) daemonsComeAndGo() {
	d := f.directors[0]
	f.plays(fleetRow{name: "a daemon is killed, and started again", bounds: nothing, happens: func() {
		d.kill()
		time.Sleep(2 * time.Second)
		d.does("start")
	}, ends: f.announcedBy(1, announceOn)})
	f.plays(fleetRow{name: "a daemon restarts", bounds: planned, happens: func() { d.does("restart") },
		ends: f.announcedBy(1, announceOn)})
	f.plays(fleetRow{name: "a daemon is upgraded", bounds: planned, happens: func() {
		d.replaceProgram()
		d.does("restart")
	}, ends: f.announcedBy(1, announceOn)})
	f.plays(fleetRow{name: "a daemon reloads", bounds: planned, happens: func() {
		d.config(fleetConfig + "virtual = 192.0.2.10:82\n        real = 203.0.113.21:80 gate\n" +
			"        checktype = on\n")
		d.does("reload")
	}, ends: f.announcedBy(1, announceOn), restore: func() {
		d.config(fleetConfig)
		d.does("reload")
	}})
}

func (f *fleet) machinesDie() {
	f.dies(1, vip)
	f.dies(2, vip6)
	f.blind("its cable to the servers is pulled", "", func() { f.pull(1, "s") }, func() { f.plug(1, "s") })
	f.blind("its link to the servers is down", "", f.link("down"), f.link("up"))
}

// blind is a row in which only one director loses its servers.
func (f *fleet) blind(how, device string, happens, restore func()) {
	f.plays(fleetRow{name: "one director alone: " + how, settles: 8 * time.Second,
		bounds:  bounds{failed: -1, within: 4 * time.Second, broken: 1, twice: true},
		happens: happens,
		ends:    func() { f.announcedBy(1, device)(); f.ready(directorCount-1, vip) },
		restore: func() { restore(); f.whole() }})
}

// link sets the link between a director and the servers up or down. While it is down its route is gone, and packets to
// the servers go through the router.
func (f *fleet) link(to string) func() {
	return func() { f.sh("ip -n %sdir link set s0 %s", f.directors[0].prefix, to) }
}

// directorsReturn are rows in which directors get back their servers. No more of the others' held connections may
// break than when a cold director is added.
func (f *fleet) directorsReturn() {
	for _, r := range []struct {
		name      string
		directors []int
		switches  []string
	}{
		{"a director is back: its cable to the servers", []int{1}, []string{"s"}},
		{"a director is back: its cables on both sides", []int{1}, []string{"x", "s"}},
		{"two directors are back at once", []int{1, 2}, []string{"s"}},
	} {
		each := func(change func(director int, at string)) {
			for _, director := range r.directors {
				for _, at := range r.switches {
					change(director, at)
				}
			}
		}
		f.plays(fleetRow{name: r.name, bounds: planned, settles: 8 * time.Second, before: func() {
			each(f.pull)
			for _, director := range r.directors {
				f.announcedBy(director, "")()
			}
			f.ready(directorCount-len(r.directors), vip)
		}, happens: func() { each(f.plug) }, restore: f.whole})
	}
	const link = "a director is back: its link to the servers"
	f.plays(fleetRow{name: link, bounds: planned, settles: 8 * time.Second, before: func() {
		f.link("down")()
		f.announcedBy(1, "")()
		f.ready(directorCount-1, vip)
	}, happens: f.link("up"), restore: f.whole})
}

// dies is a row in which a director's machine dies: it is disconnected from both switches.
func (f *fleet) dies(director int, address string) {
	f.plays(fleetRow{name: "a director dies, BFD: " + address, address: address, bounds: dead, happens: func() {
		f.pull(director, "x")
		f.pull(director, "s")
	}, restore: func() {
		f.plug(director, "x")
		f.plug(director, "s")
		f.whole()
	}})
}

func (f *fleet) ordersAreObeyed() {
	d := f.directors[0]
	is := func(runs, announced bool) func() { return func() { f.is(d, runs, announced) } }
	f.plays(fleetRow{name: "a director is withdrawn, then stopped", bounds: planned, before: is(true, true),
		happens: func() {
			d.does("withdraw")
			time.Sleep(time.Second)
			d.does("stop")
		}, ends: f.announcedBy(1, "")})
	f.plays(fleetRow{name: "its daemon starts, still withdrawn", bounds: nothing, before: is(false, false),
		happens: func() { d.does("start") }, ends: f.announcedBy(1, "")})
	f.plays(fleetRow{name: "it is announced again, cold", bounds: planned, before: is(true, false),
		happens: func() { d.does("announce") }, ends: f.announcedBy(1, announceOn)})
	f.plays(fleetRow{name: "a director is stopped without more", bounds: planned, before: is(true, true),
		happens: func() { d.does("stop") }, ends: f.announcedBy(1, "")})
	f.plays(fleetRow{name: "a director is added, cold", bounds: planned, before: is(false, true),
		happens: func() { d.does("start") }, ends: f.announcedBy(1, announceOn)})
	f.whole()
	f.withdraws(2, vipOfMark)
	f.withdraws(3, vip6)
}

// is starts or stops a director's daemon, with or without the order to withdraw.
func (f *fleet) is(d *lab, runs, announced bool) {
	f.t.Helper()
	if d.pid() == 0 {
		d.does("start")
	}
	order := "withdraw"
	if announced {
		order = "announce"
	}
	d.does(order)
	if !runs {
		d.does("stop")
	}
	if runs && announced {
		f.whole()
		return
	}
	f.ready(directorCount - 1)
}

// withdraws is a row in which one address is withdrawn and announced again.
func (f *fleet) withdraws(director int, address string) {
	d := f.directors[director-1]
	f.plays(fleetRow{name: "withdrawn and announced again: " + address, address: address, bounds: planned,
		happens: func() {
			d.does("withdraw", address)
			f.ready(directorCount-1, address)
			d.does("announce", address)
			f.ready(directorCount, address)
		}})
}

func (f *fleet) serversDie() {
	rs2 := f.webs["rs2"]
	f.plays(fleetRow{name: "a real server dies",
		bounds:  bounds{failed: -1, within: 2 * time.Second, broken: 1, of: "rs2", twice: true},
		happens: rs2.stop, restore: func() { rs2.start(); f.whole() }})
	f.plays(fleetRow{name: "a real server is back", bounds: planned, before: func() {
		rs2.stop()
		f.await(readyTime, "tables without rs2",
			func() bool { return max(f.seen.servers(1), f.seen.servers(2), f.seen.servers(3)) == 9 })
	}, happens: rs2.start, restore: f.whole})
	f.plays(fleetRow{name: "one of two services of an address is down", bounds: planned,
		happens: func() { f.all(f.others, broken) },
		ends:    f.announcedByAll(announceOn),
		restore: func() { f.all(f.others, well); f.whole() }})
	f.plays(fleetRow{name: "all servers fail for all directors", bounds: unbounded,
		happens: func() { f.all(f.webs, broken); f.all(f.others, broken) },
		ends:    f.announcedByAll(""),
		restore: func() { f.all(f.webs, well); f.all(f.others, well); f.whole() }})
}

// lastResorts are the rows with a last resort and with the guard against mass failure.
func (f *fleet) lastResorts() {
	f.checksFail()
	f.plays(fleetRow{name: "all directors leave the last resort", bounds: planned, before: func() {
		f.all(f.webs, misread)
		f.announcedByAll(lastResortOn)()
		f.ready(directorCount, vip)
	}, happens: func() { f.all(f.webs, well) }, ends: f.announcedByAll(announceOn), restore: f.whole})
	f.plays(fleetRow{name: "one of two services of an address is down, last resort", bounds: planned,
		happens: func() { f.all(f.others, broken) },
		ends:    f.announcedByAll(lastResortOn),
		restore: func() { f.all(f.others, well); f.whole() }})
	f.blind("its link to the servers is down, last resort", lastResortOn, f.link("down"), f.link("up"))
}

// checksFail is a row in which every check fails while the servers serve.
func (f *fleet) checksFail() {
	f.plays(fleetRow{name: "all checks fail for all directors, last resort", bounds: planned,
		happens: func() { f.all(f.webs, misread) },
		ends:    func() { f.announcedByAll(lastResortOn)(); f.ready(directorCount, vip) },
		restore: func() { f.all(f.webs, well); f.whole() }})
}

// all sets the mode of web servers.
func (f *fleet) all(webs map[string]*web, m mode) {
	for _, w := range webs {
		w.set(m)
	}
}

// announcedBy waits until a director has vip on a device; empty means on none.
func (f *fleet) announcedBy(director int, device string) func() {
	return func() {
		f.t.Helper()
		f.await(5*time.Second, fmt.Sprintf("%s on %q of director %d", vip, device, director),
			func() bool { return f.seen.on(director, vip) == device })
	}
}

func (f *fleet) announcedByAll(device string) func() {
	return func() {
		f.t.Helper()
		for n := range f.directors {
			f.announcedBy(n+1, device)()
		}
	}
}

// start starts or reloads every director with a configuration.
func (f *fleet) start(config string) {
	f.t.Helper()
	for _, d := range f.directors {
		d.config(config)
		if d.pid() == 0 {
			d.does("start")
		} else {
			d.does("reload")
		}
	}
	f.whole()
}

// whole waits until every director announces all addresses and has all servers.
func (f *fleet) whole() {
	f.t.Helper()
	for n := range f.directors {
		for address := range served {
			f.await(readyTime, fmt.Sprintf("%s on director %d", address, n+1),
				func() bool { return f.seen.on(n+1, address) == announceOn })
		}
		f.await(readyTime, fmt.Sprintf("whole table of director %d", n+1),
			func() bool { return f.seen.servers(n+1) == strings.Count(fleetConfig, "virtual")*3 })
	}
	f.ready(directorCount)
	f.sameOrder()
}

// sameOrder checks that every director has the servers in the same order.
func (f *fleet) sameOrder() {
	f.t.Helper()
	var first map[string][]string
	for n, d := range f.directors {
		var order map[string][]string
		d.in("dir", func() { order = orders(servicesHere()) })
		if n == 0 {
			first = order
		}
		testkit.Same(f.t, order, first, "the orders of director", n+1, "as the first one has them")
	}
}

// fleetConfig has two services on one address, one by a mark, and one over IPv6.
var fleetConfig = `checkinterval = 1
checktimeout = 2
negotiatetimeout = 2
quiescent = yes
announce = lvs0
` + fleetService("virtual = 192.0.2.10:80", "        real = 203.0.113.2%d:80 gate\n") +
	fleetService("virtual = 192.0.2.10:81", "        real = 203.0.113.2%d:81 gate\n") +
	fleetService("virtual = 1", "        real = 203.0.113.2%d gate\n") + `        mark = 192.0.2.11 tcp 80,81
        checkport = 80
` + fleetService("virtual6 = [2001:db8:ffff::10]:80", "        real6 = [2001:db8:5::2%d]:80 gate\n")

// guarded are the globals of the rows with a last resort: a server that fails its checks is held. If it were taken
// out, its connections would be lost when they change the director at the same moment.
const guarded = "lastresort = lvs1\nkeepserving = 100%\n"

func fleetService(virtual, real string) string {
	text := virtual + "\n"
	for n := range 3 {
		text += fmt.Sprintf(real, n+1)
	}
	return text + `        service = http
        request = "check"
        receive = "OK"
        scheduler = mh
        schedflags = mh-port,mh-fallback
`
}
