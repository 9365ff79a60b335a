package lab

import (
	"testing"

	"ldirectord/internal/testkit"
)

// otherNetworks has virtual addresses outside the servers' network, which no device but lo has.
func (m *matrix) otherNetworks(t *testing.T) {
	const what = "the virtual address is in another network than the servers"
	l := m.lab.with(t)
	l.webs("80")
	for at, addresses := range map[string][]string{
		"dir on lo": {"203.0.113.10", "203.0.113.11", "203.0.113.12"},
		"rs1 on lo": {"203.0.113.10"}, "rs2 on lo": {"203.0.113.10"}, "rs3 on lo": {"203.0.113.10"},
		"rs1 on tunl0": {"203.0.113.12"}, "rs2 on tunl0": {"203.0.113.12"}, "rs3 on tunl0": {"203.0.113.12"},
	} {
		ns, device := at[:3], at[len("rs1 on "):]
		for _, a := range addresses {
			l.sh("ip -n %s%s addr add %s/32 dev %s", l.prefix, ns, a, device)
			t.Cleanup(func() { l.sh("ip -n %s%s addr del %s/32 dev %s", l.prefix, ns, a, device) })
		}
	}
	l.sh(`ip -n %[1]sclient route add 203.0.113.0/24 via 192.0.2.1
		ip -n %[1]sclient route add 203.0.113.11/32 via 198.51.100.1`, l.prefix)
	l.start(l.example("networks.cf"))
	l.untilServers(9)
	for vip, w := range map[string]lane{"203.0.113.10": dr4, "203.0.113.11": nat4, "203.0.113.12": tun4} {
		w.vip = vip
		m.row(t, what, w, "address", func(t *testing.T) {
			answers := l.with(t).getEach(w, m.clients(1), 6, w.url("http", "80"))
			answeredBy(t, answers[0], "rs1", "rs2", "rs3")
		})
	}
}

// ownServer has the director as one of its real servers.
func (m *matrix) ownServer(t *testing.T) {
	l := m.lab.with(t)
	for _, ns := range []string{"dir", "rs1", "rs2"} {
		l.webOn(ns, "80")
	}
	l.start(l.example("own-server.cf"))
	l.untilServers(3)
	m.row(t, "the director is a real server too", dr4, "address", func(t *testing.T) {
		answers := l.with(t).getEach(dr4, m.clients(1), 10, dr4.url("http", "80"))
		answeredBy(t, answers[0], "dir", "rs1", "rs2")
		testkit.Equal(t, answers[0]["dir"], 2, "the director answers",
			"of 10 requests, which is not its weight")
	})
}
