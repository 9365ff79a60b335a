package lab

import (
	"fmt"
	"net"
)

// throughVIPs is a configuration whose servers are checked through the virtual addresses of some lanes.
func throughVIPs(some ...lane) string {
	const service = "VIRTUAL = ADDRESS:7000\nREALS:7000\n        checktype = connect\n        checkvip = yes\n"
	return "checkinterval = 1\nchecktimeout = 2\n" + sections(service, some...)
}

// inTable are the lines of a server in the table.
func (l *lab) inTable(n int, lanes ...lane) (lines []string) {
	for _, w := range lanes {
		how := map[string]string{"gate": "-g", "ipip": "-i"}[w.forward]
		lines = append(lines, fmt.Sprintf("%s -r %s %s -w 1", net.JoinHostPort(w.vip, "7000"),
			net.JoinHostPort(w.real(n), "7000"), how))
	}
	return lines
}

// onServer is the virtual address on a real server, as ip(8) has it.
func (w lane) onServer() string {
	return w.vip + map[string]string{"DR4": "/32 dev lo", "TUN4": "/32 dev tunl0", "DR6": "/128 dev lo nodad",
		"TUN6": "/128 dev ip6tnl0 nodad"}[w.String()]
}
