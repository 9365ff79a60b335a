package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

const (
	directorCount = 3
	readyTime     = time.Minute // until all directors are announced
	vip           = "192.0.2.10"
	vipOfMark     = "192.0.2.11"
	vip6          = "2001:db8:ffff::10"
)

// fleet is several directors that announce addresses to a router, as docs/directors.md draws it:
//
//	client 198.51.100.100 - router - switch x - directors 10.0.0.1 ... (BGP, BFD)
//	                               - switch s - directors 203.0.113.11 ... and real servers 203.0.113.21 ...
//
// Cables are pulled at the switches, so that only the switch sees its link go down.
type fleet struct {
	*lab      // the client, the router, the switches, the real servers
	directors []*lab
	webs      map[string]*web // by real server; port 80
	others    map[string]*web // by real server; port 81
	routing   routing         // the directors' routing program
	ports     sources         // the client's ports
	seen      *watcher
}

// newFleet starts everything but the directors' daemons.
func newFleet(t *testing.T, r routing) *fleet {
	t.Helper()
	if os.Getenv("DIRECTORS_TESTS") != "required" {
		t.Skip("needs IPVS, BIRD and FRR: make test-all")
	}
	needsIPVS(t)
	f := &fleet{webs: map[string]*web{}, others: map[string]*web{}, routing: r}
	f.lab = &lab{t: t, prefix: fmt.Sprintf("ld%d-", os.Getpid()), dir: t.TempDir(), idle: watchStarvation(t)}
	for _, ns := range []string{"client", "router", "switch"} {
		f.space(f.lab, ns)
	}
	f.sh(`modprobe -qa bridge veth dummy ip_vs_mh || :
		for switch in x s; do
			ip -n %[1]sswitch link add br-$switch type bridge mcast_snooping 0
			ip -n %[1]sswitch link set br-$switch up
		done
		ip -n %[1]srouter link add c0 type veth peer name eth0 netns %[1]sclient
		ip -n %[1]srouter link set c0 up; ip -n %[1]sclient link set eth0 up
		ip netns exec %[1]srouter sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
			net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1 \
			net.ipv4.conf.all.rp_filter=0
		ip -n %[1]srouter addr add 198.51.100.1/24 dev c0
		ip -n %[1]srouter addr add 2001:db8:c::1/64 dev c0 nodad
		ip -n %[1]sclient addr add 198.51.100.100/24 dev eth0
		ip -n %[1]sclient addr add 2001:db8:c::100/64 dev eth0 nodad
		ip -n %[1]sclient route add default via 198.51.100.1
		ip -n %[1]sclient route add default via 2001:db8:c::1`, f.prefix)
	// The lab is one kernel, in which a packet's path depends on its socket's hash. TCP changes the hash after a
	// timeout, and with it the path. A real router doesn't do that.
	f.sh("ip netns exec %sclient sysctl -qw net.core.txrehash=0", f.prefix)
	f.connect(f.lab, "router", "x", 254)
	f.connect(f.lab, "router", "s", 254)
	for n := 1; n <= directorCount; n++ {
		f.directors = append(f.directors, f.newDirector(n))
	}
	for n := 1; n <= 3; n++ {
		f.newServer(fmt.Sprintf("rs%d", n), 20+n)
	}
	f.seen = f.watch()
	f.routes(f.lab, "router", r)
	for _, d := range f.directors {
		f.routes(d, "dir", r)
	}
	return f
}

// space makes a network namespace for the time of the test.
func (f *fleet) space(l *lab, ns string) {
	f.sh("ip netns add %[1]s%[2]s && ip -n %[1]s%[2]s link set lo up", l.prefix, ns)
	f.t.Cleanup(func() { l.remove(ns) })
}

// connect connects a namespace to a switch, with address number n there.
func (f *fleet) connect(l *lab, ns, to string, n int) {
	net4, net6 := "10.0.0", "2001:db8:"
	if to == "s" {
		net4, net6 = "203.0.113", "2001:db8:5:"
	}
	f.sh(`ip -n %[1]sswitch link add %[4]s-%[5]d type veth peer name %[4]s0 netns %[2]s%[3]s
		ip -n %[1]sswitch link set %[4]s-%[5]d master br-%[4]s up
		ip -n %[2]s%[3]s addr add %[6]s.%[5]d/24 dev %[4]s0
		ip -n %[2]s%[3]s addr add %[7]s:%[5]d/64 dev %[4]s0 nodad
		ip netns exec %[2]s%[3]s sysctl -qw net.ipv4.conf.%[4]s0.rp_filter=0 \
			net.ipv6.conf.%[4]s0.keep_addr_on_down=1
		ip -n %[2]s%[3]s link set %[4]s0 up`, f.prefix, l.prefix, ns, to, n, net4, net6)
}

func (f *fleet) newDirector(n int) *lab {
	d := &lab{t: f.t, prefix: fmt.Sprintf("%s%d-", f.prefix, n), dir: filepath.Join(f.dir, fmt.Sprint("d", n)),
		idle: f.idle}
	d.log = filepath.Join(d.dir, "log")
	testkit.OK(f.t, os.Mkdir(d.dir, 0o755))
	f.space(d, "dir")
	f.connect(d, "dir", "x", n)
	f.connect(d, "dir", "s", 10+n)
	// The other networks are reached through the router, as in most racks. So is the servers' network while the
	// director's own link is down.
	f.sh(`for device in lvs0 lvs1; do
			ip -n %[1]sdir link add $device type dummy
			ip -n %[1]sdir link set $device up
		done
		ip -n %[1]sdir route add default via 10.0.0.254; ip -n %[1]sdir route add default via 2001:db8::254
		ip netns exec %[1]sdir sysctl -qw net.ipv4.vs.sloppy_tcp=1 net.ipv4.vs.expire_nodest_conn=1 \
			net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.all.send_redirects=0`, d.prefix)
	f.t.Cleanup(func() { d.command("--rundir", d.dir, d.path(), "stop").Run() })
	return d
}

// path is the path of a director's configuration.
func (l *lab) path() string { return filepath.Join(l.dir, "ldirectord.cf") }

func (f *fleet) newServer(name string, n int) {
	f.space(f.lab, name)
	f.connect(f.lab, name, "s", n)
	f.sh(`ip netns exec %[1]s%[2]s sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
		for address in %[3]s %[4]s; do ip -n %[1]s%[2]s addr add $address/32 dev lo; done
		ip -n %[1]s%[2]s addr add %[5]s/128 dev lo nodad
		ip -n %[1]s%[2]s route add default via 203.0.113.254
		ip -n %[1]s%[2]s route add default via 2001:db8:5::254`,
		f.prefix, name, vip, vipOfMark, vip6)
	f.webs[name], f.others[name] = f.held(name, "80"), f.held(name, "81")
}

// held is a web server whose connections stay open.
func (f *fleet) held(name, port string) *web {
	w := &web{l: f.lab, ns: name, ports: []string{port}, mode: well, changed: make(chan struct{}), keepAlive: true}
	w.start()
	f.t.Cleanup(w.stop)
	return w
}

// plug and pull connect and disconnect a director's cable, at switch x or s.
func (f *fleet) plug(director int, to string) {
	f.sh("ip -n %sswitch link set %s-%d master br-%s", f.prefix, to, port(director, to), to)
}

func (f *fleet) pull(director int, to string) {
	f.sh("ip -n %sswitch link set %s-%d nomaster", f.prefix, to, port(director, to))
}

func port(director int, to string) int {
	if to == "s" {
		return 10 + director
	}
	return director
}

// paths is how many routes the router has to an address.
func (f *fleet) paths(address string) int {
	out, _ := exec.Command("ip", "-n", f.prefix+"router", "-o", "route", "show", address).Output()
	if strings.Contains(address, ":") {
		out, _ = exec.Command("ip", "-n", f.prefix+"router", "-6", "-o", "route", "show", address).Output()
	}
	return strings.Count(string(out), "via ")
}

// ready waits until the router has a number of routes to every address.
func (f *fleet) ready(ways int, addresses ...string) {
	f.t.Helper()
	if len(addresses) == 0 {
		addresses = []string{vip, vipOfMark, vip6}
	}
	for _, a := range addresses {
		f.await(readyTime, fmt.Sprintf("%d ways to %s", ways, a), func() bool { return f.paths(a) == ways })
	}
}

// await waits until so reports true. Time in which this kernel did not run is not counted.
func (f *fleet) await(limit time.Duration, what string, so func() bool) {
	f.t.Helper()
	for begin := time.Now(); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begin)-f.idle.since(begin) > limit {
			f.t.Fatalf("no %s after %v\n%s", what, limit, f.state())
		}
	}
}

// state is what helps to understand a failed test.
func (f *fleet) state() string {
	var b strings.Builder
	run := func(name string, arg ...string) {
		out, _ := exec.Command(name, arg...).CombinedOutput()
		fmt.Fprintf(&b, "%s %s\n%s", name, strings.Join(arg, " "), out)
	}
	run("ip", "-n", f.prefix+"router", "route")
	for _, d := range f.directors {
		run("ip", "-n", d.prefix+"dir", "-br", "addr")
		log := d.logText()
		fmt.Fprintf(&b, "%s%s\n", d.table(), log[max(0, len(log)-2000):])
	}
	return b.String()
}
