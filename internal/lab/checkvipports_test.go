package lab

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// portsRow is a network of 300 servers with checkvip. Those of rs1, a hundred, lose the virtual address.
type portsRow struct {
	lane
	protocol string
	every    int // checkinterval
	reuse    int // conn_reuse_mode
}

func (r portsRow) String() string {
	return fmt.Sprintf("%s %s %s %ds reuse %d", r.protocol, r.forward, r.family, r.every, r.reuse)
}

// IPVS finds a connection by addresses and ports alone. A check without an answer leaves one that leads to a dead
// server, for a minute or more. No other server goes out because of that: while it lasts, after a kill and a restart of
// the daemon, which forget the ports, over a flush and a reload, beside a second daemon that checks the same addresses,
// and beside a client on the director with the same source address. No dead server comes in. Each run plays the first
// row. PORTS_FOR=10m plays all, for so long each.
func TestKernelLongCheckVIPPorts(t *testing.T) {
	onlyLong(t)
	var rows []portsRow
	for _, every := range []int{5, 1} {
		for _, reuse := range []int{1, 0} {
			for _, protocol := range []string{"tcp", "udp"} {
				for _, w := range []lane{dr4, tun4, dr6, tun6} {
					rows = append(rows, portsRow{w, protocol, every, reuse})
				}
			}
		}
	}
	lasts, _ := time.ParseDuration(os.Getenv("PORTS_FOR"))
	if lasts == 0 {
		rows, lasts = rows[:1], 40*time.Second
	}
	for _, r := range rows {
		t.Run(r.String(), func(t *testing.T) { r.play(t, lasts) })
	}
}

const (
	portsServers = 300
	deadServers  = portsServers / 3
)

// server is the address of a server, of rs1, rs2 and rs3 in turn.
func (r portsRow) server(n int) netip.Addr {
	if r.family == "IPv6" {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:3:%d::%x", n%3+1, n/3+1))
	}
	return netip.MustParseAddr(fmt.Sprintf("10.3.%d.%d", n%3+1, n/3+1))
}

// isDead tells of a line of the log whether it is about a server without the virtual address.
func (r portsRow) isDead(line string) bool {
	return strings.Contains(line, "10.3.1.") || strings.Contains(line, "2001:db8:3:1:")
}

func (r portsRow) config(l *lab, service, port string) string {
	virtual, real := "virtual = ", "real = "
	if r.family == "IPv6" {
		virtual, real = "virtual6 = ", "real6 = "
	}
	if service != "" {
		virtual = virtual + service
	} else {
		virtual += net.JoinHostPort(r.vip, port)
	}
	text := fmt.Sprintf("checkinterval = %d\nchecktimeout = 2\nnegotiatetimeout = 2\n%s\n        checkvip = %s\n"+
		"        checkport = %s\n",
		r.every, virtual, r.vip, port)
	if r.protocol == "udp" {
		text += "        protocol = udp\n        service = dns\n        request = \"www.example.com\"\n" +
			"        receive = \"192\"\n"
	} else {
		text += "        checktype = connect\n        alsocheck = ping\n"
	}
	for n := range portsServers {
		text += fmt.Sprintf("        %s%s %s\n", real, net.JoinHostPort(r.server(n).String(), port), r.forward)
	}
	return text
}

func (r portsRow) play(t *testing.T, lasts time.Duration) {
	l := newTrafficLab(t)
	l.sh(`ip netns exec %[1]sdir ipvsadm --set 900 120 300 # the kernel's defaults
		ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.br0.accept_local=1 \
			net.ipv4.vs.conn_reuse_mode=%[2]d`, l.prefix, r.reuse)
	port := map[string]string{"tcp": "7000", "udp": "53"}[r.protocol]
	path := l.config(r.config(l, "", port))
	for n, ns := range three {
		via, length := r.real(n+1), map[string]string{"IPv4": "/32 dev lo",
			"IPv6": "/128 dev lo nodad"}[r.family]
		var routes, addresses string
		for ; n < portsServers; n += 3 {
			routes += fmt.Sprintf("route add %v via %s\n", r.server(n), via)
			addresses += fmt.Sprintf("addr add %v%s\n", r.server(n), length)
		}
		l.sh("ip -n %sdir -batch - <<END\n%sEND\nip -n %[1]s%[3]s -batch - <<END\n%[4]sEND", l.prefix, routes,
			ns, addresses)
		l.sh("for d in all br0; do ip netns exec %s%s sysctl -qw net.ipv4.conf.$d.rp_filter=0; done", l.prefix,
			ns)
	}
	l.realServerScript(path, "start", 1, 2, 3)
	for n, ns := range three {
		if r.protocol == "tcp" {
			l.echo(ns, ":"+port)
			continue
		}
		at := []string{r.vip} // answers come from the same address
		for ; n < portsServers; n += 3 {
			at = append(at, r.server(n).String())
		}
		for _, address := range at {
			l.datagrams(ns, net.JoinHostPort(address, port),
				func(question []byte) []byte { return dnsAnswer(ns, question) })
		}
	}
	serving := func(want int, limit time.Duration) {
		t.Helper()
		virtual := " " + net.JoinHostPort(r.vip, port) + " -r "
		l.await(limit, func() bool { return strings.Count(l.table(), virtual) == want }, "want", want, l.table)
	}
	l.does("start")
	serving(portsServers, 60*time.Second)
	time.Sleep(2 * time.Second) // the log may be written after the table
	before, began := len(l.logText()), time.Now()
	l.sh("ip -n %srs1 addr del %s", l.prefix, r.onServer())
	seen := 30 * time.Second
	if r.reuse == 0 { // checks that another server answers pass
		seen = 3 * time.Minute
	}
	serving(portsServers-deadServers, seen)
	t.Logf("%d servers are out after %v", deadServers, time.Since(began).Round(100*time.Millisecond))

	calm := func(when string, lasts time.Duration) {
		t.Helper()
		time.Sleep(lasts)
		var out, in []string
		of := func(line string) (all string) { // what the log and the history have of its server
			server := strings.Fields(line[strings.Index(line, "server: "):])[1]
			for _, other := range strings.Split(l.logText(), "\n") {
				if strings.Contains(other, " "+server+" ") {
					all += other + "\n"
				}
			}
			why, _ := l.command(path, "why", server).CombinedOutput()
			return all + string(why)
		}
		said := l.logText()[before:]
		others, _ := os.ReadFile(filepath.Join(l.dir, "other.cf.log"))
		for _, line := range strings.Split(said+string(others), "\n") {
			switch {
			case strings.Contains(line, "] Deleted real server") && !r.isDead(line):
				out = append(out, of(line))
			// the address is not its own
			case strings.Contains(line, "] Added real server") && r.isDead(line) &&
				!strings.Contains(line, "|other.cf|"):
				in = append(in, of(line))
			}
		}
		before += len(said)
		t.Logf("%s: of the kernel's connections %s", when, l.states())
		if len(out)+len(in) > 0 {
			t.Errorf("%s: %d healthy servers went out, %d dead ones came in, such as\n%s\n%s", when,
				len(out), len(in),
				strings.Join(out[:min(3, len(out))], "\n"), strings.Join(in[:min(3, len(in))], "\n"))
		}
	}
	calm("at rest", lasts/2)
	l.ipvsadm("-C")
	serving(portsServers-deadServers, 15*time.Second)
	calm("after a flush", lasts/8)
	l.config("# reloaded\n" + r.config(l, "", port))
	l.does("reload")
	calm("after a reload", lasts/8)
	l.kill()
	l.does("start")
	serving(portsServers-deadServers, 15*time.Second)
	calm("after a kill", lasts/8)
	l.does("restart")
	serving(portsServers-deadServers, 15*time.Second)
	calm("after a restart", lasts/8)

	other := l.file("other.cf", r.config(l, "7", port))
	l.run(exitOK, other, "start")
	defer l.run(exitOK, other, "stop")
	calm("beside another daemon", lasts/4)
	stop := make(chan bool)
	made, failed := 0, 0
	go func() {
		defer close(stop)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			l.enter("dir", func() {
				if made++; !r.asks(port) {
					failed++
				}
			})
		}
	}()
	calm("beside a client on the director", lasts/4)
	stop <- true
	<-stop
	t.Logf("%d of %d requests of that client got no answer", failed, made)
	l.sh("ip -n %srs1 addr add %s", l.prefix, r.onServer())
	serving(portsServers, 30*time.Second)
	l.does("stop")
}

// asks makes a request of a client with the source address of the checks, and reports whether it is answered.
func (r portsRow) asks(port string) bool {
	source := map[string]string{"IPv4": "192.0.2.1", "IPv6": "2001:db8:1::1"}[r.family]
	from := netip.AddrPortFrom(netip.MustParseAddr(source), 0)
	d := net.Dialer{Timeout: time.Second, LocalAddr: net.TCPAddrFromAddrPort(from)}
	if r.protocol == "udp" {
		d.LocalAddr = net.UDPAddrFromAddrPort(from)
	}
	c, err := d.Dial(r.protocol, net.JoinHostPort(r.vip, port))
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	return r.protocol == "tcp" || strings.HasPrefix(dnsAsk(c), "rs")
}

// states counts the kernel's connections by their states.
func (l *lab) states() string {
	counts := map[string]int{}
	for _, line := range strings.Split(l.ipvsadm("-Lnc"), "\n")[2:] {
		if fields := strings.Fields(line); len(fields) > 3 {
			counts[fields[2]]++
		}
	}
	return fmt.Sprint(counts)
}
