package lab

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// manyClients are enough clients for each of three servers to get some.
const manyClients = 12

const httpAndHTTPS = `
VIRTUAL = MARK
        mark = VIP tcp 80,443
        REALS
        service = http
        checkport = 80
        receive = "OK"
`

// With one mark and the scheduler sh, http and https of a client go to one server.
func (m *matrix) httpAndHTTPSBySH(t *testing.T) {
	l := m.lab.with(t)
	rs1 := l.webs("80", "443")[0]
	l.start(l.example("http-https-sh.cf") + sections(httpAndHTTPS+"        scheduler = sh\n", lanes[1:]...))
	l.untilServers(3*len(lanes), "-w 0")
	clients := m.clients(manyClients)
	before := map[lane][]map[string]int{}
	for _, w := range lanes {
		m.row(t, "http and https of a client go to one server: one mark, sh", w, "mark", func(t *testing.T) {
			before[w] = l.with(t).getEach(w, clients, 2, w.url("http", "80"), w.url("https", "443"))
			sticks(t, before[w])
		})
	}
	m.row(t, "a server fails: only its clients move (sh-fallback)", dr4, "mark", func(t *testing.T) {
		l := l.with(t)
		rs1.stop()
		l.until(10*time.Second, "-f 3 -r 192.0.2.21:0 -g -w 0")
		for n, a := range l.getEach(dr4, clients, 1, dr4.url("http", "80"), dr4.url("https", "443")) {
			moved := !maps.Equal(a, map[string]int{names(before[dr4][n])[0]: 2})
			if _, its := before[dr4][n]["rs1"]; moved != its || a["rs1"] != 0 || len(a) != 1 {
				t.Errorf("client %d: answers of %v, before of %v", n+1, a, before[dr4][n])
			}
		}
	})
}

// With wrr and persistence they do so, too. The client's first connection decides.
func (m *matrix) httpAndHTTPSByPersistence(t *testing.T) {
	l := m.lab.with(t)
	l.webs("80", "443")
	l.start("quiescent = no\n" + sections(httpAndHTTPS+"        scheduler = wrr\n        persistent = 600\n",
		lanes...))
	l.untilServers(3*len(lanes), "-w 0")
	for _, w := range lanes {
		m.row(t, "http and https of a client go to one server: one mark, wrr, persistent", w, "mark",
			func(t *testing.T) {
				sticks(t, l.with(t).getEach(w, m.clients(manyClients), 2, w.url("http", "80"),
					w.url("https", "443")))
			})
	}
}

// Telnet and http are joined by a mark. Without persistence each connection is scheduled by weight. With it the client
// keeps its server.
func (m *matrix) httpAndTelnet(t *testing.T) {
	l := m.lab.with(t)
	for _, ns := range three {
		l.web(ns)
		l.telnet(ns)
	}
	l.start(l.example("http-telnet.cf"))
	l.untilServers(6, "-w 0")
	m.row(t, "http and telnet joined by one mark share the weights 2, 5 and 5", dr4, "mark", func(t *testing.T) {
		got := l.with(t).getEach(dr4, m.clients(1), 12, dr4.url("http", "80"), dr4.url("telnet", "23"))[0]
		testkit.Same(t, got, map[string]int{"rs1": 4, "rs2": 10, "rs3": 10}, "answers of")
	})
	other := dr4
	other.vip = tun4.vip
	m.row(t, "http and telnet of a client go to one server: one mark, persistent", dr4, "mark", func(t *testing.T) {
		sticks(t, l.with(t).getEach(other, m.clients(manyClients), 2, other.url("http", "80"),
			other.url("telnet", "23")))
	})
}

const perPort = `
VIRTUAL = ADDRESS:80
        REALS:80
        service = http
        receive = "OK"
        scheduler = rr
        persistent = 600
VIRTUAL = ADDRESS:8080
        REALS:8080
        service = http
        receive = "OK"
        scheduler = rr
        persistent = 600
`

// PPC: a client stays with one server at each port, whatever it does at other ports.
func (m *matrix) perClientAndPort(t *testing.T) {
	l := m.lab.with(t)
	l.webs("80", "8080")
	l.start("quiescent = no\n" + sections(perPort, lanes...))
	l.untilServers(6*len(lanes), "-w 0")
	for _, w := range lanes {
		m.row(t, "a client stays with one server for each port (PPC)", w, "address", func(t *testing.T) {
			l := l.with(t)
			clients := m.clients(manyClients)
			first := l.getEach(w, clients, 2, w.url("http", "80"))
			// now the clients that shared a server come one after the other
			clients[1], clients[3] = clients[3], clients[1]
			second := l.getEach(w, clients, 2, w.url("http", "8080"))
			sticks(t, first)
			sticks(t, second)
			if !maps.Equal(first[0], first[3]) || maps.Equal(second[0], second[1]) {
				t.Errorf("two clients: answers of %v and %v on one port, %v and %v on the other",
					first[0], first[3], second[0], second[1])
			}
		})
	}
}

const wholeClient = `
VIRTUAL = ADDRESS:0
        REALS
        checktype = connect
        checkport = 80
        scheduler = rr
        persistent = 600
`

// PCC: all connections of a client go to one server, whatever the port.
func (m *matrix) perClient(t *testing.T) {
	l := m.lab.with(t)
	for _, ns := range three {
		l.web(ns)
		l.telnet(ns)
	}
	l.start(l.example("whole-client.cf") + sections(wholeClient, lanes[1:]...))
	l.untilServers(3*len(lanes), "-w 0")
	for _, w := range lanes {
		m.row(t, "telnet and http of a client go to one server: port 0 (PCC)", w, "address",
			func(t *testing.T) {
				sticks(t, l.with(t).getEach(w, m.clients(manyClients), 2, w.url("telnet", "23"),
					w.url("http", "80")))
			})
	}
}

const perNetwork = `
VIRTUAL = ADDRESS:80
        REALS:80
        service = http
        receive = "OK"
        scheduler = rr
        persistent = 600
        netmask = NETMASK
`

// Granularity: all clients in a network of eight count as one.
func (m *matrix) perNetwork(t *testing.T) {
	l := m.lab.with(t)
	l.webs("80")
	l.start("quiescent = no\n" +
		strings.ReplaceAll(sections(perNetwork, dr4), "NETMASK", "255.255.255.248") +
		strings.ReplaceAll(sections(perNetwork, dr6), "NETMASK", "125"))
	l.untilServers(6, "-w 0")
	for _, w := range []lane{dr4, dr6} {
		m.row(t, "the clients of one network go to one server: netmask", w, "address", func(t *testing.T) {
			const size = 8
			networks := make([]map[string]int, 3)
			for n, a := range l.with(t).getEach(w, m.clients(3*size), 1, w.url("http", "80")) {
				i := n / size
				if networks[i] == nil {
					networks[i] = map[string]int{}
				}
				maps.Copy(networks[i], a)
			}
			sticks(t, networks)
		})
	}
}

const forTwoSeconds = `
VIRTUAL = ADDRESS:80
        REALS:80
        service = http
        receive = "OK"
        scheduler = rr
        persistent = 2
`

// Persistence ends a time after the client's last connection.
func (m *matrix) persistenceEnds(t *testing.T) {
	l := m.lab.with(t)
	l.webs("80")
	l.start("quiescent = no\n" + sections(forTwoSeconds, dr4, dr6))
	l.untilServers(6, "-w 0")
	for _, w := range []lane{dr4, dr6} {
		m.row(t, "persistence times out, and the client moves", w, "address", func(t *testing.T) {
			l := l.with(t)
			var client []int
			var before map[string]int
			for begun := time.Now(); ; begun = time.Now() { // again if this kernel stood still meanwhile
				client = m.clients(1)
				before = l.getEach(w, client, 4, w.url("http", "80"))[0]
				if len(before) == 1 || l.idle.since(begun) < time.Second {
					break
				}
			}
			if len(before) != 1 {
				t.Fatalf("answers of %v, want one server's alone", before)
			}
			l.untilForgotten(w.client(client[0]))
			if after := l.get(w.client(client[0]), w.url("http", "80")); before[after] != 0 ||
				!strings.HasPrefix(after, "rs") {
				t.Errorf("answer of %s, before of %v", after, before)
			}
		})
	}
}

// untilForgotten waits until the kernel has no connections and no template of a client. A template whose connections
// live longer, as on a slow machine, stays for another minute.
func (l *lab) untilForgotten(client netip.Addr) {
	l.t.Helper()
	testkit.Until(l.t, 70*time.Second, func() bool {
		out := l.ipvsadm("-Lnc")
		return !strings.Contains(out, client.String()+":") && !strings.Contains(out, "["+client.String()+"]:")
	}, "the kernel knows", client, func() string { return l.ipvsadm("-Lnc") })
}

// A reload changes the time of persistence in place. No connection is cut, and no client moves.
func (m *matrix) persistenceEdited(t *testing.T) {
	l := m.lab.with(t)
	l.webs("80")
	config := "quiescent = no\n" + sections(strings.Replace(forTwoSeconds, "persistent = 2", "persistent = 300", 1),
		dr4)
	l.start(config)
	l.untilServers(3, "-w 0")
	m.row(t, "connections shows what ipvsadm -Lnc and --persistent-conn show", dr4, "address", func(t *testing.T) {
		l, clients := l.with(t), m.clients(manyClients)
		l.getEach(dr4, clients, 1, dr4.url("http", "80"))
		l.holdFrom(dr4.client(clients[0]), "192.0.2.10:80")
		shown := l.connectionsJSON("192.0.2.10:80")
		if got, want := lasting(shown), l.lasting(); got != want || strings.Count(got, "\n") < manyClients {
			t.Errorf("connections shows\n%s\nipvsadm\n%s", got, want)
		}
		testkit.Equal(t, persistent(shown), l.persistent(), "connections shows what ipvsadm does")
	})
	m.row(t, "the persistence time is edited, and no client is cut or moves", dr4, "address", func(t *testing.T) {
		l, clients := l.with(t), m.clients(manyClients)
		before := l.getEach(dr4, clients, 1, dr4.url("http", "80"))
		held := l.holdFrom(dr4.client(clients[0]), "192.0.2.10:80")
		l.config(strings.Replace(config, "persistent = 300", "persistent = 600", 1))
		l.does("reload")
		l.until(5*time.Second, "-A -t 192.0.2.10:80 -s rr -p 600")
		after := l.getEach(dr4, clients, 1, dr4.url("http", "80"))
		if !slices.EqualFunc(before, after, maps.Equal) {
			t.Errorf("answers of %v, before of %v", after, before)
		}
		held.flows()
	})
}

// lasting are templates and established connections, which don't end during the comparison.
func lasting(shown connectionsShown) string {
	var lines []string
	for _, c := range shown.Connections {
		switch {
		case c.Kind == "template":
			lines = append(lines, c.Client+":0 "+c.To+" "+c.Server)
		case c.State == "ESTABLISHED":
			lines = append(lines, c.Client+" "+c.To+" "+c.Server)
		}
	}
	return sorted(lines)
}

// lasting is the same by the output of ipvsadm.
func (l *lab) lasting() string {
	var lines []string
	for line := range strings.Lines(l.ipvsadm("-Lnc")) {
		words := strings.Fields(line)
		if len(words) > 5 && words[4] == "192.0.2.10:80" &&
			(words[2] == "ESTABLISHED" || strings.HasSuffix(words[3], ":0")) {
			lines = append(lines, strings.Join(words[3:6], " "))
		}
	}
	return sorted(lines)
}

// persistent counts the templates and the active connections of each server.
func persistent(shown connectionsShown) string {
	var lines []string
	for _, s := range shown.Servers {
		lines = append(lines, fmt.Sprintf("%s %d %d %d", s.Server, s.Weight, s.Persistent, s.Active))
	}
	return sorted(lines)
}

// persistent is the same by the output of ipvsadm.
func (l *lab) persistent() string {
	var lines []string
	for line := range strings.Lines(l.ipvsadm("-Ln", "-t", "192.0.2.10:80", "--persistent-conn")) {
		if words := strings.Fields(line); len(words) == 6 && words[0] == "->" && words[2] != "Weight" {
			lines = append(lines, strings.Join(words[1:5], " "))
		}
	}
	return sorted(lines)
}

// heldConnection is a connection with an answer that never ends.
type heldConnection struct {
	t    *testing.T
	conn net.Conn
}

// holdFrom opens a connection to a web server, with an answer that never ends.
func (l *lab) holdFrom(client netip.Addr, to string) *heldConnection {
	l.t.Helper()
	conn := l.dial(client, "tcp", to)
	testkit.OK(l.t, testkit.Error(io.WriteString(conn, "GET /drip HTTP/1.0\r\n\r\n")))
	h := &heldConnection{l.t, conn}
	h.flows()
	return h
}

// flows checks that data still arrives.
func (h *heldConnection) flows() {
	h.t.Helper()
	begun := time.Now()
	h.conn.SetReadDeadline(begun.Add(5 * time.Second))
	for buffer := make([]byte, 4096); time.Since(begun) < 300*time.Millisecond; {
		if _, err := h.conn.Read(buffer); err != nil {
			h.t.Errorf("the long connection: %v", err)
			return
		}
	}
}

const quiescentAndPersistent = `quiescent = yes
virtual = 192.0.2.10:80
        real = 192.0.2.21:80 gate
        real = 192.0.2.22:80 gate
        real = 192.0.2.23:80 gate
        service = http
        checkport = 8080
        receive = "OK"
        scheduler = rr
        persistent = 600
`

// A known client still goes to its server of weight 0, unless expire_quiescent_template is set.
func (m *matrix) persistentAndQuiescent(t *testing.T) {
	l := m.lab.with(t)
	health := map[string]*web{}
	for _, ns := range three {
		l.web(ns)
		health[ns] = l.webOn(ns, "8080")
	}
	l.start(quiescentAndPersistent)
	l.untilServers(3, "-w 0")
	client := m.clients(1)
	server := l.get(dr4.client(client[0]), dr4.url("http", "80"))
	if health[server] == nil {
		t.Fatalf("the client got %q, want a server's name", server)
	}
	health[server].stop()
	l.until(10*time.Second, fmt.Sprintf("-r 192.0.2.2%s:80 -g -w 0", server[2:]))
	m.row(t, "a known client stays with a quiescent server", dr4, "address", func(t *testing.T) {
		answeredBy(t, l.with(t).getEach(dr4, client, 3, dr4.url("http", "80"))[0], server)
	})
	m.row(t, "a known client leaves a quiescent server: expire_quiescent_template", dr4, "address",
		func(t *testing.T) {
			l := l.with(t)
			l.sh("ip netns exec %sdir sysctl -qw net.ipv4.vs.expire_quiescent_template=1", l.prefix)
			if got := l.getEach(dr4, client, 3, dr4.url("http", "80"))[0]; len(got) != 1 ||
				got[server] != 0 {
				t.Errorf("answers of %v, want those of one server that is not %s", got, server)
			}
			l.sh("ip netns exec %sdir sysctl -qw net.ipv4.vs.expire_quiescent_template=0", l.prefix)
		})
}
