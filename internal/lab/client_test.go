package lab

import (
	"cmp"
	"encoding/json"
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

const hashed = `virtual = 198.51.100.10:5001
        real = 192.0.2.22:5000 masq 3
        real = 192.0.2.21:5000 masq
        real = 192.0.2.23:5000 masq 0
        scheduler = sh
        protocol = udp
        checktype = on
virtual = 198.51.100.10:5002
        real = 192.0.2.22:5000 masq 3
        real = 192.0.2.21:5000 masq
        real = 192.0.2.23:5000 masq 0
        scheduler = sh
        schedflags = sh-fallback
        protocol = udp
        checktype = on
virtual = 198.51.100.10:5003
        real = 192.0.2.21:5000 masq 2
        real = 192.0.2.22:5000 masq 100
        real = 192.0.2.23:5000 masq
        scheduler = sh
        schedflags = sh-port
        protocol = udp
        checktype = on
virtual = 198.51.100.10:5004
        real = 192.0.2.21:5000 masq 1 u:1
        real = 192.0.2.22:5000 masq 0
        real = 192.0.2.23:5000 masq 2
        real = 192.0.2.24:5000 masq
        scheduler = sh
        schedflags = sh-port,sh-fallback
        protocol = udp
        checktype = on
virtual6 = [2001:db8:1::10]:5005
        real6 = [2001:db8::21]:5000 masq
        real6 = [2001:db8::23]:5000 masq 7
        real6 = [2001:db8::22]:5000 masq
        scheduler = sh
        protocol = udp
        checktype = on
virtual = 198.51.100.10:5006
        real = 192.0.2.21:5000 masq
        real = 192.0.2.22:5000 masq
        real = 192.0.2.23:5000 masq
        scheduler = sh
        persistent = 300
        netmask = 255.255.255.192
        protocol = udp
        checktype = on
`

// connections --client tells for each of many clients which server the kernel then chooses by its hash, or by a
// template.
func TestKernelNextServerOfAClient(t *testing.T) {
	l := newLabOf(t, 3)
	l.sh(`ip -n %[1]sdir addr add 2001:db8::1/64 dev br0 nodad
	ip -n %[1]sdir addr add 2001:db8:1::1/64 dev br1 nodad
		ip -n %[1]sdir addr add 2001:db8:1::10/128 dev br1 nodad
		ip -n %[1]sclient addr add 2001:db8:1::100/64 dev br1 nodad
		ip netns exec %[1]sdir sysctl -qw net.ipv6.conf.all.forwarding=1
		ip netns exec %[1]sclient sysctl -qw net.ipv6.ip_nonlocal_bind=1
		ip -n %[1]sclient route add local 203.0.113.0/24 dev lo
		ip -n %[1]sdir route add 203.0.113.0/24 via 198.51.100.100
		ip -n %[1]sclient route add local 2001:db8:2::/64 dev lo
		ip -n %[1]sdir route add 2001:db8:2::/64 via 2001:db8:1::100`, l.prefix)
	l.starts("checkinterval = 60\nquiescent = yes\n" + hashed)
	l.until(5*time.Second, "-u 198.51.100.10:5006 -r 192.0.2.23:5000",
		"-u [2001:db8:1::10]:5005 -r [2001:db8::22]:5000",
		"-u 198.51.100.10:5004 -r 192.0.2.21:5000 -m -w 1 -x 1")
	// entries last longer than this test, on a slow machine, too
	l.sh("ip netns exec %sdir ipvsadm --set 0 0 3600", l.prefix)
	for i := range 12 { // fills the server with u:1
		l.datagram(fmt.Sprintf("203.0.113.%d:3000", 230+i), "198.51.100.10:5004")
	}
	chosen := map[string]map[string]bool{} // the servers of each virtual service
	carried := map[netip.Addr]int{}        // the connections of each client
	for i := range 20 {
		for client, to := range map[string][]string{
			fmt.Sprintf("203.0.113.%d:%d", 1+11*i, 20000+777*i): {"5001", "5002", "5003", "5004", "5006"},
			fmt.Sprintf("[2001:db8:2::%x]:4000", 1+97*i):        {"5005"},
		} {
			told := map[string]string{}
			for _, n := range l.client(client).Next {
				told[n.Virtual[strings.LastIndex(n.Virtual, ":")+1:]] = n.Server
				if n.Server == "" && !strings.HasPrefix(n.Because, "refused") {
					t.Errorf("%s: %+v", client, n)
				}
			}
			for _, port := range to {
				vip := "198.51.100.10:"
				if port == "5005" {
					vip = "[2001:db8:1::10]:"
				}
				l.datagram(client, vip+port)
			}
			got := map[string]string{}
			for _, c := range l.client(client).Connections {
				got[c.To[strings.LastIndex(c.To, ":")+1:]] = c.Server
			}
			carried[netip.MustParseAddrPort(client).Addr()] = len(got)
			for _, port := range to {
				testkit.Equal(t, told[port], got[port], client, "to", port)
				if chosen[port] == nil {
					chosen[port] = map[string]bool{}
				}
				chosen[port][got[port]] = true
			}
		}
	}
	for port, servers := range chosen {
		if len(servers) < 2 {
			t.Errorf("%s: all clients had %v, which proves nothing", port, servers)
		}
	}
	// some clients were refused for weight 0, and none with sh-fallback; the full server got nothing
	if !chosen["5001"][""] || chosen["5002"][""] || chosen["5004"]["192.0.2.21:5000"] {
		t.Errorf("the servers of each port: %v", chosen)
	}
	kinds := map[string]int{}
	for _, c := range l.client("203.0.113.1").Connections {
		kinds[c.Kind]++
	}
	for _, n := range l.client("203.0.113.2", "198.51.100.10:5006").Next { // of the same netmask
		if n.Because != "its template" || len(kinds) != 2 {
			t.Errorf("%+v, entries %v", n, kinds)
		}
	}
	busiest := slices.SortedFunc(maps.Keys(carried), func(a, b netip.Addr) int {
		return cmp.Or(carried[b]-carried[a], a.Compare(b))
	})
	want := ""
	for _, client := range busiest[:2] {
		want += fmt.Sprintf(" %v %d several", client, carried[client])
	}
	top := l.does("connections", "--top", "-n", "2")
	l.says(strings.Join(strings.Fields(top), " "), want)
}

// datagram sends one from an address of the client, and waits for no answer.
func (l *lab) datagram(from, to string) {
	l.t.Helper()
	local := testkit.Must(net.ResolveUDPAddr("udp", from))(l.t)
	var err error
	l.in("client", func() {
		var c net.Conn
		if c, err = (&net.Dialer{LocalAddr: local}).Dial("udp", to); err == nil {
			_, err = c.Write([]byte("x"))
			c.Close()
		}
	})
	testkit.OK(l.t, err)
}

type clientShown struct {
	Connections []connectionShown
	Next        []struct{ Virtual, Server, Because string }
}

// client is the output of connections --client.
func (l *lab) client(client string, virtual ...string) (shown clientShown) {
	l.t.Helper()
	out, err := l.command(append([]string{l.path(), "connections", "--json", "--client", client},
		virtual...)...).Output()
	if err := cmp.Or(err, json.Unmarshal(out, &shown)); err != nil {
		l.t.Fatalf("%v in\n%s", err, out)
	}
	return shown
}
