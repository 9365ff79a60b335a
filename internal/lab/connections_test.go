package lab

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// connections shows the same entries as ipvsadm, for connections by address, by mark and over IPv6, each with its
// template.
func TestKernelConnectionsAgreeWithIpvsadm(t *testing.T) {
	l := newLabOf(t, 2)
	l.sh(`ip -n %[1]sdir addr add 2001:db8::1/64 dev br0 nodad
	ip -n %[1]sdir addr add 2001:db8:1::1/64 dev br1 nodad
		ip -n %[1]sdir addr add 2001:db8:1::10/128 dev br1 nodad
		ip -n %[1]sclient addr add 2001:db8:1::100/64 dev br1 nodad
		ip -n %[1]srs1 addr add 2001:db8::21/64 dev br0 nodad; ip -n %[1]srs1 route add default via 2001:db8::1
		ip netns exec %[1]sdir sysctl -qw net.ipv6.conf.all.forwarding=1
		ip netns exec %[1]sdir iptables-legacy -t mangle -A PREROUTING -d %[2]s -p tcp --dport 7001 \
			-j MARK --set-mark 3`, l.prefix, natVIP)
	l.echo("rs1", ":7000")
	l.echo("rs2", ":7000")
	l.echo("rs2", ":7001") // a persistent mark keeps the client's port, whatever port the real line has
	l.starts(`checkinterval = 60
virtual = 198.51.100.10:7000
        real = 192.0.2.21:7000 masq
        real = 192.0.2.22:7000 masq
        persistent = 300
        checktype = on
virtual = 3
        real = 192.0.2.22:7000 masq
        persistent = 300
        netmask = 255.255.255.0
        checktype = on
virtual6 = [2001:db8:1::10]:7000
        real6 = [2001:db8::21]:7000 masq
        persistent = 300
        netmask = 64
        checktype = on
virtual = 198.51.100.10:7009
        real = 192.0.2.21:7000 masq
        checktype = on
`)
	l.until(5*time.Second, "-f 3 -r 192.0.2.22:7000", "-t [2001:db8:1::10]:7000 -r [2001:db8::21]:7000",
		":7009 -r 192.0.2.21:7000")
	for _, addr := range []string{"198.51.100.10:7000", "198.51.100.10:7000", "198.51.100.10:7001",
		"[2001:db8:1::10]:7000"} {
		c := madeIn(l, "client", func() (net.Conn,
			error) {
			return net.DialTimeout("tcp", addr, 5*time.Second)
		})
		defer c.Close()
		if !talks(c) {
			t.Fatalf("%s does not answer", addr)
		}
	}
	shown := l.connectionsJSON()
	var ours, kinds []string
	for _, c := range shown.Connections {
		client, to := c.Client, c.To
		if c.Kind == "template" {
			client = net.JoinHostPort(client, "0")
		}
		if to == "" {
			to = "0.0.0.3:0"
		}
		server := c.Server
		if c.Virtual == "fwm:3" && c.Kind == "template" {
			server = "192.0.2.22:0"
		} else if c.Virtual == "fwm:3" {
			server = "192.0.2.22:7001"
		}
		ours = append(ours, strings.Join([]string{c.State, client, to, server}, " "))
		kinds = append(kinds, c.Virtual+" "+c.Kind+" "+c.ServerState)
	}
	if got, want := sorted(ours), l.ipvsadmConnections(); got != want || want == "" {
		t.Errorf("connections shows\n%s\nipvsadm -Lcn\n%s", got, want)
	}
	const want = `fwm:3 connection up
fwm:3 template up
tcp:198.51.100.10:7000 connection up
tcp:198.51.100.10:7000 connection up
tcp:198.51.100.10:7000 template up
tcp:[2001:db8:1::10]:7000 connection up
tcp:[2001:db8:1::10]:7000 template up`
	testkit.Equal(t, sorted(kinds), want)
	var counters []string
	for _, s := range shown.Servers {
		counters = append(counters, fmt.Sprintf("%s %d %d %d %d", s.Server, s.Weight, s.Persistent, s.Active,
			s.Inactive))
	}
	if got, want := sorted(counters), l.ipvsadmCounters(); got != want || want == "" {
		t.Errorf("connections shows\n%s\nipvsadm -Ln --persistent-conn\n%s", got, want)
	}
	for virtual, want := range map[string]int{"3": 2, "198.51.100.10:7000": 3, "198.51.100.10:7009": 0} {
		testkit.Equal(t, len(l.connectionsJSON(virtual).Connections), want, virtual, "entries")
	}
}

// With the SIP engine, calls of one dialogue stay together: their template has the Call-ID. The state of servers comes
// from the daemon, not from the table.
func TestKernelConnectionsShowDialoguesAndWhatTheDaemonKnows(t *testing.T) {
	l := newLabOf(t, 2)
	l.starts(`checkinterval = 60
quiescent = no
virtual = 198.51.100.10:5060
        real = 192.0.2.21:5060 masq
        real = 192.0.2.22:5060 masq
        protocol = udp
        scheduler = rr
        persistent = 300
        pename = sip
        checktype = on
`)
	l.until(5*time.Second, "-A -u 198.51.100.10:5060 -s rr -p 300 --pe sip", "-r 192.0.2.21:5060",
		"-r 192.0.2.22:5060")
	for range 3 { // each from another port
		l.invite("198.51.100.10:5060", "dialogue-1@client")
	}
	shown := l.connectionsJSON()
	servers := map[string]bool{}
	var templates []connectionShown
	for _, c := range shown.Connections {
		servers[c.Server] = true
		if c.Kind == "template" {
			templates = append(templates, c)
		}
	}
	if len(templates) != 1 || templates[0].Engine != "sip" || templates[0].EngineData != "dialogue-1@client" ||
		len(servers) != 1 {
		t.Errorf("connections of one dialogue are not together: %+v", shown.Connections)
	}
	l.does("drain", templates[0].Server)
	l.until(5*time.Second, "-r "+templates[0].Server+" -m -w 0")
	for _, c := range l.connectionsJSON().Connections {
		testkit.Equal(t, c.ServerState, "drained", c)
	}
}

// invite sends a SIP request (RFC 3261) that gets no answer.
func (l *lab) invite(to, callID string) {
	l.t.Helper()
	c := madeIn(l, "client", func() (net.Conn, error) { return net.Dial("udp", to) })
	defer c.Close()
	_, err := fmt.Fprintf(c, "OPTIONS sip:a@example.org SIP/2.0\r\nVia: SIP/2.0/UDP client;branch=z9hG4bK1\r\n"+
		"From: <sip:c@client>;tag=1\r\n"+
		"To: <sip:a@example.org>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", callID)
	if err != nil {
		l.t.Fatal(err)
	}
}

// connectionsShown is the output of connections --json, as far as the tests check it.
type connectionsShown struct {
	Connections []connectionShown
	Servers     []struct {
		Server                               string
		Weight, Active, Inactive, Persistent int
	}
	Unreadable int
}

type connectionShown struct {
	Virtual, Client, To, Server, Kind, State, Engine string

	ServerState string `json:"server_state"`
	EngineData  string `json:"engine_data"`
}

func (l *lab) connectionsJSON(virtual ...string) (shown connectionsShown) {
	l.t.Helper()
	args := append([]string{l.path(), "connections"}, virtual...)
	out := testkit.Must(l.command(append(args, "--json")...).Output())(l.t, "connections")
	if err := json.Unmarshal(out, &shown); err != nil || shown.Unreadable != 0 {
		l.t.Fatalf("%v, %d lines unreadable:\n%s", err, shown.Unreadable, out)
	}
	return shown
}

// ipvsadmConnections are state, client, virtual and server of each entry.
func (l *lab) ipvsadmConnections() string {
	var lines []string
	for line := range strings.Lines(l.ipvsadm("-Lcn")) {
		if words := strings.Fields(line); len(words) >= 6 && strings.Contains(words[1], ":") {
			lines = append(lines, strings.Join(words[2:6], " "))
		}
	}
	return sorted(lines)
}

// ipvsadmCounters are server, weight, and persistent, active and inactive connections of each destination.
func (l *lab) ipvsadmCounters() string {
	var lines []string
	for line := range strings.Lines(l.ipvsadm("-Ln", "--persistent-conn")) {
		if words := strings.Fields(line); len(words) == 6 && words[0] == "->" &&
			strings.Contains(words[1], ":7000") {
			lines = append(lines, strings.Join(words[1:], " "))
		}
	}
	return sorted(lines)
}

func (l *lab) ipvsadm(args ...string) string {
	l.t.Helper()
	return l.runIn("dir", append([]string{"ipvsadm"}, args...)...)
}

func sorted(lines []string) string {
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
