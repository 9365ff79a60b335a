package lab

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// lane is how traffic goes to the real servers: a forwarding method, a family, and the virtual address of both.
type lane struct {
	method  string // the name that people use
	forward string // the name in the file
	family  string // IPv4 or IPv6
	vip     string
	clients string // first address of the clients' network
}

// These are the lanes of the lab. Traffic with masq comes from the other side of the director.
var (
	dr4  = lane{"DR", "gate", "IPv4", drVIP, "198.18.0.0"}
	tun4 = lane{"TUN", "ipip", "IPv4", "192.0.2.11", "198.18.0.0"}
	nat4 = lane{"NAT", "masq", "IPv4", natVIP, "198.19.0.0"}
	dr6  = lane{"DR", "gate", "IPv6", "2001:db8:1::10", "2001:db8:c::"}
	tun6 = lane{"TUN", "ipip", "IPv6", "2001:db8:1::11", "2001:db8:c::"}
	nat6 = lane{"NAT", "masq", "IPv6", "2001:db8:2::10", "2001:db8:d::"}
)

var lanes = []lane{dr4, nat4, tun4, dr6, nat6, tun6}

// String is the name of a lane in scripts: DR4 and so on.
func (w lane) String() string { return w.method + strings.TrimPrefix(w.family, "IPv") }

// client is the address of a client by its number.
func (w lane) client(n int) netip.Addr {
	addr := netip.MustParseAddr(w.clients).AsSlice()
	addr[len(addr)-2], addr[len(addr)-1] = byte(n>>8), byte(n)
	client, _ := netip.AddrFromSlice(addr)
	return client
}

// real is the address of a real server.
func (w lane) real(n int) string {
	if w.family == "IPv6" {
		return fmt.Sprintf("2001:db8:1::2%d", n)
	}
	return fmt.Sprintf("192.0.2.2%d", n)
}

// url is the virtual address in a URL.
func (w lane) url(scheme, port string) string {
	return scheme + "://" + net.JoinHostPort(w.vip, port) + "/"
}

var realsLine = regexp.MustCompile("(?m)^ *REALS(:[0-9]+)?$")

// sections has the sections of a configuration for some lanes. In the template it replaces VIRTUAL (virtual or
// virtual6), ADDRESS and VIP (with and without the brackets of IPv6), MARK (one for each lane), and REALS[:PORT], the
// lines of the three real servers.
func sections(template string, some ...lane) (config string) {
	for _, w := range some {
		virtual, address, real := "virtual", w.vip, "        real = 192.0.2.2%d%s %s"
		if w.family == "IPv6" {
			virtual, address, real = "virtual6", "["+w.vip+"]", "        real6 = [2001:db8:1::2%d]%s %s"
		}
		text := realsLine.ReplaceAllStringFunc(template, func(line string) string {
			var reals []string
			for n := 1; n <= 3; n++ {
				reals = append(reals,
					fmt.Sprintf(real, n, realsLine.FindStringSubmatch(line)[1], w.forward))
			}
			return strings.Join(reals, "\n")
		})
		mark := strconv.Itoa(100 + slices.Index(lanes, w))
		config += strings.NewReplacer("VIRTUAL", virtual, "ADDRESS", address, "VIP", w.vip, "MARK",
			mark).Replace(text)
	}
	return config
}

// newTrafficLab is the lab with both families and many clients, whose networks are routed to the client. The real
// servers reach those of DR and TUN without the director, and those of NAT only through it.
func newTrafficLab(t *testing.T) *lab {
	t.Helper()
	l := newNetwork(t, 3)
	if out, err := exec.Command("modprobe", "-a", "ipip", "ip6_tunnel").CombinedOutput(); err != nil {
		t.Logf("modprobe: %s", out)
	}
	l.sh(`ip -n %[1]sdir -batch - <<END
addr add 192.0.2.11/32 dev br0
addr add 2001:db8:1::1/64 dev br0 nodad
addr add 2001:db8:1::10/128 dev br0 nodad preferred_lft 0
addr add 2001:db8:1::11/128 dev br0 nodad preferred_lft 0
addr add 2001:db8:2::1/64 dev br1 nodad
addr add 2001:db8:2::10/128 dev br1 nodad preferred_lft 0
route add 198.18.0.0/16 via 192.0.2.100
route add 198.19.0.0/16 via 198.51.100.100
route add 2001:db8:c::/64 via 2001:db8:1::100
route add 2001:db8:d::/64 via 2001:db8:2::100
END
		ip -n %[1]sclient -batch - <<END
addr add 2001:db8:1::100/64 dev br0 nodad
addr add 2001:db8:2::100/64 dev br1 nodad
route add local 198.18.0.0/15 dev lo
route add local 2001:db8:c::/64 dev lo
route add local 2001:db8:d::/64 dev lo
END
		ip netns exec %[1]sclient sysctl -qw net.ipv6.ip_nonlocal_bind=1
		ip netns exec %[1]sdir sysctl -qw net.ipv6.conf.all.forwarding=1
		# a closed connection is forgotten after 1 s, not 120
		ip netns exec %[1]sdir ipvsadm --set 0 1 0`, l.prefix)
	for n := 1; n <= 3; n++ {
		l.sh(`ip -n %[1]srs%[2]d -batch - <<END
addr add 2001:db8:1::2%[2]d/64 dev br0 nodad
route add 198.18.0.0/16 via 192.0.2.100
route add 2001:db8:c::/64 via 2001:db8:1::100
route add default via 2001:db8:1::1
END
			# as distributions have it
			ip netns exec %[1]srs%[2]d sysctl -qw net.ipv4.conf.all.rp_filter=1`, l.prefix, n)
	}
	return l
}

// with is the lab for a subtest.
func (l *lab) with(t *testing.T) *lab {
	c := *l
	c.t = t
	return &c
}

// realServerScript prints the script of a configuration, and runs it with a word in some real servers.
func (l *lab) realServerScript(path, word string, servers ...int) {
	l.t.Helper()
	script := testkit.Must(l.command(path, "realserver-script").Output())(l.t, "realserver-script")
	file := filepath.Join(l.dir, "realserver")
	testkit.OK(l.t, os.WriteFile(file, script, 0o700))
	for _, n := range servers {
		l.sh("RUNDIR=%s/rs%d ip netns exec %srs%d %s %s", l.dir, n, l.prefix, n, file, word)
	}
}

// quick has the times of most of the lab's files.
const quick = "checkinterval = 1\nchecktimeout = 2\nnegotiatetimeout = 2\nfailurecount = 1\n"

// start runs the daemon with a configuration, with checkinterval 1, for the time of the subtest.
func (l *lab) start(config string) (path string) {
	l.t.Helper()
	os.Remove(l.log) // so that the log is of this test only
	return l.starts(quick + config)
}

// ownTimes are the lines of an example that the lab replaces by shorter times.
var ownTimes = regexp.MustCompile("(?m)^(checkinterval|checktimeout|negotiatetimeout|" +
	"failurecount|logfile|autoreload) = .*\n")

// example is a file of examples/ with the lab's times. It is checked first.
func (l *lab) example(name string) string {
	l.t.Helper()
	l.run(exitOK, "../../examples/"+name, "check")
	text := testkit.Read(l.t, "../../examples/"+name)
	return ownTimes.ReplaceAllString(text, "")
}

// get requests a URL as a client. It returns the name of the server that answered, or the error.
func (l *lab) get(client netip.Addr, address string) (answer string) {
	l.t.Helper()
	l.in("client", func() { answer = getFrom(client, address) })
	return answer
}

// getEach requests URLs in turn, several times, as each of the clients. For each client it counts the answers of each
// server.
func (l *lab) getEach(w lane, clients []int, times int, urls ...string) []map[string]int {
	l.t.Helper()
	var answers []map[string]int
	l.in("client", func() {
		for _, n := range clients {
			got := map[string]int{}
			for range times {
				for _, u := range urls {
					got[getFrom(w.client(n), u)]++
				}
			}
			answers = append(answers, got)
		}
	})
	return answers
}

// getFrom makes one request, on a thread in the client's namespace.
func getFrom(client netip.Addr, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return err.Error()
	}
	conn, err := dialFrom(client, "tcp", u.Host)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	if u.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	if u.Scheme != "telnet" {
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", u.Path); err != nil {
			return err.Error()
		}
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		return err.Error()
	}
	_, body, _ := strings.Cut(string(answer), "\r\n\r\n")
	word, _, _ := strings.Cut(body, " ")
	return word
}

// telnet runs a server that greets with its name, as a log-in does.
func (l *lab) telnet(ns string) {
	testkit.Serve(l.t, l.listen(ns, ":23"), func(c net.Conn) { fmt.Fprintf(c, "\r\n\r\n%s login: ", ns) })
}

// lastPort is the port of the clients' last connection.
var lastPort atomic.Uint32

// newPort is a port that no client has used, below those that the kernel chooses. The kernel chooses ports at random.
// For one that is used again, IPVS would still know the old connection and not schedule the new one.
func newPort() uint16 { return uint16(1024 + lastPort.Add(1)%30000) }

// dialFrom opens a connection that may last a few seconds.
func dialFrom(client netip.Addr, network, to string) (net.Conn, error) {
	d := net.Dialer{Timeout: requestTimeout}
	from := netip.AddrPortFrom(client, newPort())
	if network == "udp" {
		d.LocalAddr = net.UDPAddrFromAddrPort(from)
	} else {
		d.LocalAddr = net.TCPAddrFromAddrPort(from)
	}
	conn, err := d.Dial(network, to)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(5 * time.Second))
}

// dial opens a connection as a client, for the time of the test.
func (l *lab) dial(client netip.Addr, network, to string) net.Conn {
	l.t.Helper()
	conn := madeIn(l, "client", func() (net.Conn, error) { return dialFrom(client, network, to) })
	l.t.Cleanup(func() { conn.Close() })
	return conn
}

// names are the names of the servers that answered, sorted.
func names(answers map[string]int) []string { return slices.Sorted(maps.Keys(answers)) }

// answeredBy checks that each of these servers answered, and no other one.
func answeredBy(t *testing.T, answers map[string]int, want ...string) {
	t.Helper()
	testkit.Same(t, names(answers), want, "answers of", answers)
}

// sticks checks that every client got answers of one server only, and all clients together those of all three.
func sticks(t *testing.T, answers []map[string]int) {
	t.Helper()
	all := map[string]int{}
	for n, a := range answers {
		testkit.Equal(t, len(a), 1, "servers answer client", n+1, a)
		maps.Copy(all, a)
	}
	answeredBy(t, all, "rs1", "rs2", "rs3")
}

// untilServers waits until the table has n real servers, and none of the texts in gone.
func (l *lab) untilServers(n int, gone ...string) {
	l.t.Helper()
	testkit.Until(l.t, 20*time.Second, func() bool {
		table := l.table()
		return strings.Count(table, "-a ") == n &&
			!slices.ContainsFunc(gone, func(g string) bool { return strings.Contains(table, g) })
	}, "want", n, "servers and none of", gone, l.table, l.logText)
}

// settings are the settings that realserver-script changes on the real servers.
func (l *lab) settings() (all string) {
	l.t.Helper()
	for n := 1; n <= 3; n++ {
		all += testkit.Run(l.t, exec.Command("ip", "netns", "exec", fmt.Sprint(l.prefix, "rs", n), "sh", "-ec",
			`{ ip -o addr | sed 's/ *valid_lft.*//'
			ip -o link | sed 's/ qdisc.*//'
			ip route show table all | sort; } | grep -v fe80
			cd /proc/sys/net/ipv4/conf && grep . all/arp_* */rp_filter`))
	}
	return all
}
