package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// healthy is a configuration without faults in a lab of newLabOf.
const healthy = `virtual = 192.0.2.10:80
        real = 192.0.2.21:80 gate
        real = 192.0.2.22:80 gate
        checktype = on
virtual = 198.51.100.10:80
        real = 192.0.2.21:80 masq
        checktype = on
`

// throughVIP is a configuration whose servers are checked through the virtual address.
var throughVIP = strings.Replace(healthy, "checktype = on", "checktype = connect\n        checkvip = yes", 1)

// onDummy has an announced address.
const onDummy = `virtual = 192.0.2.52:80
        real = 192.0.2.21:80 masq
        checktype = on
        announce = lvs0
`

// ipipServer is a configuration with a tunnel.
const ipipServer = `virtual = 192.0.2.10:80
        real = 192.0.2.21:80 ipip
        checktype = on
`

// fault is a fault as doctor --json prints it.
type fault struct{ Severity, Kind, Text, Command string }

// A doctorCase is a misconfiguration: a change of the lab, and the kind of fault that doctor must name. To fix it the
// test runs the command that doctor prints, or fix if there is none.
type doctorCase struct {
	name, config string
	spoil        string // a shell script; %[1]s is the prefix of the namespaces
	kind         string
	fix          string // likewise, or "listen" and an address of the director
}

var doctorCases = []doctorCase{
	{name: "virtual address of a server", kind: "server-vip", config: healthy,
		spoil: "ip -n %[1]srs1 addr del 192.0.2.10/32 dev lo"},
	{name: "private services", kind: "check-left", config: healthy, spoil: `for family in "" -6; do
		ip netns exec %[1]sdir ipvsadm -A -f 127506842${#family} -s rr -o $family; done`},
	{name: "martian answers", kind: "check-martian", config: throughVIP,
		spoil: "ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.all.accept_local=0"},
	{name: "martian answers, and no checkvip", kind: "check-martian", config: healthy,
		spoil: `ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.all.accept_local=0
			ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.br0.accept_local=0`},
	{name: "a source that the servers have", kind: "check-source", config: healthy,
		spoil: "ip -n %[1]sdir route replace 192.0.2.0/24 dev br0 src 192.0.2.10",
		fix:   "ip -n %[1]sdir route replace 192.0.2.0/24 dev br0 src 192.0.2.1"},
	{name: "filtered answers", kind: "check-filter", config: `virtual = 198.51.100.10:80
        real = 192.0.2.21:80 gate
        checktype = connect
        checkvip = yes
`, spoil: "ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.br0.rp_filter=1"},
	{name: "address", kind: "virtual-address", config: strings.ReplaceAll(healthy, "192.0.2.10", "192.0.2.50")},
	{name: "address of IPv6", kind: "virtual-address", config: `virtual6 = [2001:db8::50]:80
        real6 = [2001:db8::21]:80 gate
        checktype = on
`},
	{name: "address of a mark", kind: "virtual-address", config: `virtual = 3
        mark = 192.0.2.51 tcp 80,443
        real = 192.0.2.21 gate
        checktype = on
`},
	{name: "network of a mark", kind: "virtual-address", config: `virtual = 3
        mark = 198.18.0.0/28 tcp 80
        real = 192.0.2.21 gate
        checktype = on
`},
	{name: "mark", kind: "mark-unset", config: `virtual = 3
        real = 192.0.2.21:80 gate
        checktype = on
`, fix: "ip netns exec %[1]sdir iptables -t mangle -A PREROUTING -d 192.0.2.10 -p tcp --dport 80 -j MARK --set-mark 3"},
	{name: "address on lo with the settings of a real server", kind: "director-silent", config: healthy,
		spoil: "ip -n %[1]sdir addr del 192.0.2.10/32 dev br0; ip -n %[1]sdir addr add 192.0.2.10/32 dev lo; " +
			"ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.all.arp_ignore=1"},
	{name: "forwarding", kind: "forwarding", config: healthy,
		spoil: "ip netns exec %[1]sdir sysctl -qw net.ipv4.ip_forward=0"},
	{name: "forwarding of IPv6", kind: "forwarding", config: `virtual6 = [2001:db8::10]:80
        real6 = [2001:db8::21]:80 masq
        checktype = on
`, spoil: "ip netns exec %[1]sdir sysctl -qw net.ipv6.conf.all.forwarding=0"},
	{name: "ARP", kind: "server-answers", config: healthy,
		spoil: "ip netns exec %[1]srs1 sysctl -qw net.ipv4.conf.all.arp_ignore=0"},
	{name: "neighbour discovery", kind: "server-answers", config: `virtual6 = [2001:db8::10]:80
        real6 = [2001:db8::21]:80 gate
        checktype = on
`,
		spoil: "ip -n %[1]srs1 addr add 2001:db8::10/128 dev br0 nodad",
		fix:   "ip -n %[1]srs1 addr del 2001:db8::10/128 dev br0"},
	{name: "somebody else", kind: "stranger-answers", config: healthy,
		spoil: "ip -n %[1]sclient addr add 192.0.2.10/32 dev br0",
		fix:   "ip -n %[1]sclient addr del 192.0.2.10/32 dev br0"},
	{name: "rp_filter", kind: "tunnel-filter", config: ipipServer,
		spoil: "modprobe ipip; ip -n %[1]sdir link set tunl0 up; ip netns exec %[1]sdir sysctl -qw " +
			"net.ipv4.conf.all.rp_filter=1"},
	{name: "MTU", kind: "tunnel-mtu", config: ipipServer},
	{name: "ports again", kind: "port-reuse", config: healthy,
		spoil: "ip netns exec %[1]sdir sysctl -qw net.ipv4.vs.conn_reuse_mode=0"},
	{name: "ports again, of checks", kind: "port-reuse", config: throughVIP,
		spoil: "ip netns exec %[1]sdir sysctl -qw net.ipv4.vs.conn_reuse_mode=0"},
	{name: "NAT without conntrack", kind: "conntrack", config: healthy,
		spoil: "ip netns exec %[1]sdir iptables-legacy -t nat -A POSTROUTING -d 192.0.2.0/24 -j MASQUERADE"},
	{name: "templates", kind: "sticky-quiescent",
		config: strings.ReplaceAll(healthy, "checktype",
			"quiescent = yes\n        persistent = 60\n        checktype")},
	{name: "removed servers", kind: "lost-connections", config: "quiescent = no\n" + healthy},
	{name: "take-over", kind: "take-over", config: strings.ReplaceAll(healthy, "checktype",
		"scheduler = sh\n        checktype")},
	{name: "no device to announce on", kind: "announce-device", config: onDummy},
	{name: "a device to announce on that is down", kind: "announce-device", config: onDummy,
		spoil: "ip -n %[1]sdir link set lvs0 down"},
	{name: "an address that is announced, on a card", kind: "announce-address", config: onDummy,
		spoil: "ip -n %[1]sdir addr add 192.0.2.52/24 dev br0"},
	{name: "FTP", kind: "ftp-module", config: strings.ReplaceAll(healthy, "198.51.100.10:80", "198.51.100.10:21")},
	{name: "router", kind: "gate-routed", config: strings.ReplaceAll(healthy, "192.0.2.22:80", "203.0.113.1:80"),
		spoil: "ip -n %[1]sdir route add 203.0.113.0/24 via 192.0.2.21",
		fix:   "ip -n %[1]sdir route replace 203.0.113.0/24 dev br0"},
	{name: "server on the director", kind: "own-server",
		config: strings.ReplaceAll(healthy, "192.0.2.22:80", "192.0.2.1:80"), fix: "listen 192.0.2.10:80"},
	{name: "fallback server on the director", kind: "sorry-server", config: healthy +
		"        fallback = 127.0.0.1:80 gate\n", fix: "listen 198.51.100.10:80"},
	{name: "firewall", kind: "check-firewall", config: throughVIP,
		spoil: `ip netns exec %[1]sdir sysctl -qw net.ipv4.vs.conntrack=0
		ip netns exec %[1]sdir iptables-legacy -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
		ip netns exec %[1]sdir iptables-legacy -A INPUT -i br0 -p tcp -j DROP`},
	{name: "fallback server", kind: "sorry-server", config: healthy + "        fallback = 192.0.2.1:8080 masq\n",
		fix: "listen 192.0.2.1:8080"},
}

// Each misconfiguration is made, found, and fixed. At the end doctor finds none of them any more.
func TestKernelDoctorFindsAndMends(t *testing.T) {
	l := newDoctorLab(t)
	for _, c := range doctorCases {
		t.Run(c.name, func(t *testing.T) {
			of := *l
			of.t = t
			of.spoilFindAndMend(c)
		})
	}
	out := l.output(l.config(healthy), "doctor")
	if !strings.HasPrefix(out, "looked at: addresses, ") || !strings.HasSuffix(out, "\nnothing found\n") ||
		strings.Contains(out, "not looked at") {
		t.Errorf("on a healthy machine doctor says\n%s", out)
	}
	if !strings.Contains(out, "who answers on br0") || !strings.Contains(out, asksVIP) {
		t.Errorf("doctor did not ask the real servers:\n%s", out)
	}
	l.privateIs("")
	found := l.doctor(l.config(strings.ReplaceAll(healthy, "checktype", "scheduler = twos\n        checktype")))
	if len(found) != 1 || found[0].Kind != "missing-module" || !strings.Contains(found[0].Text, "ip_vs_twos") {
		t.Errorf("with a module that can't be loaded doctor finds %v", found)
	}
}

func (l *lab) spoilFindAndMend(c doctorCase) {
	path := l.config(c.config)
	if c.spoil != "" {
		l.sh(c.spoil, l.prefix)
	}
	found := l.doctor(path)
	i := slices.IndexFunc(found, func(f fault) bool { return f.Kind == c.kind })
	if i < 0 {
		l.t.Fatalf("doctor finds %[2]v, and not %[1]s", c.kind, found)
	}
	switch addr, listen := strings.CutPrefix(c.fix, "listen "); {
	case listen:
		l.listen("dir", addr)
	case c.fix != "":
		l.sh(c.fix, l.prefix)
	default:
		fix := exec.Command("ip", "netns", "exec", l.prefix+"dir", "sh", "-ec", found[i].Command)
		fix.Env = append(os.Environ(), "PATH="+l.dir+":"+filepath.Dir(program(l.t))+":"+os.Getenv("PATH"))
		if out, err := fix.CombinedOutput(); err != nil {
			l.t.Fatalf("%s: %v: %s", found[i].Command, err, out)
		}
	}
	left := l.doctor(path)
	for range 2 { // if the guest stood still, answers came too late
		if !slices.ContainsFunc(left, func(f fault) bool { return strings.Contains(f.Text, "(timeout)") }) {
			break
		}
		left = l.doctor(path)
	}
	if slices.ContainsFunc(left, func(f fault) bool { return f.Kind == c.kind }) || len(left) >= len(found) {
		l.t.Errorf("doctor found %v; after %q it finds %v", found, found[i].Command, left)
	}
}

// asksVIP is doctor's name for its checks of the servers through the virtual address.
const asksVIP = "real servers at the virtual addresses"

// newDoctorLab has two real servers, with IPv6 too, that listen, and an ssh that leads to them.
func newDoctorLab(t *testing.T) *lab {
	t.Helper()
	l := newLabOf(t, 2)
	l.sh(`ip -n %[1]sdir addr add 2001:db8::1/64 dev br0 nodad
	ip -n %[1]sdir addr add 2001:db8::10/128 dev br0 nodad
		ip netns exec %[1]sdir sysctl -qw net.ipv6.conf.all.forwarding=1
		ip netns exec %[1]sdir sysctl -qw net.ipv4.conf.all.accept_local=1
		ip -n %[1]srs1 addr add 2001:db8::21/64 dev br0 nodad; ip -n %[1]srs1 addr add 2001:db8::10/128 dev lo
		ip -n %[1]srs1 addr add 198.51.100.10/32 dev lo`, l.prefix)
	l.listen("rs1", ":80")
	l.listen("rs2", ":80")
	ssh := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = root@192.0.2.21 ] || exit 1\nshift\n"+
		"exec ip netns exec %srs1 \"$@\"\n", l.prefix)
	testkit.OK(t, os.WriteFile(filepath.Join(l.dir, "ssh"), []byte(ssh), 0o700))
	return l
}

// doctor runs doctor in the director.
func (l *lab) doctor(path string) []fault {
	l.t.Helper()
	var answer struct {
		OK          bool
		Faults      []fault
		NotLookedAt []string `json:"not_looked_at"`
	}
	out := l.output(path, "doctor", "--json")
	if err := json.Unmarshal([]byte(out), &answer); err != nil {
		l.t.Fatalf("%v\n%s", err, out)
	}
	settings := func(what string) bool { return strings.HasPrefix(what, asksVIP) } // spoilt by the case
	if len(slices.DeleteFunc(answer.NotLookedAt, settings)) > 0 {
		l.t.Errorf("doctor did not look at %v", answer.NotLookedAt)
	}
	if breaking := slices.ContainsFunc(answer.Faults,
		func(f fault) bool { return f.Severity == "broken" }); answer.OK == breaking {
		l.t.Errorf("ok is %v with %v", answer.OK, answer.Faults)
	}
	return answer.Faults
}

// output is the output of a command in the director, whatever its exit status.
func (l *lab) output(args ...string) string {
	l.t.Helper()
	out, err := l.command(args...).Output()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		l.t.Fatal(err)
	}
	return string(out)
}
