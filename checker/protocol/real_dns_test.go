package protocol

import (
	"fmt"
	"testing"
)

const (
	realZone = `$ORIGIN example.test.
$TTL 60
@ SOA ns hm 1 60 60 60 60
@ NS ns
ns A 127.0.0.1
www A 192.0.2.10
www AAAA 2001:db8::10
alias CNAME www
six AAAA 2001:db8::10
`
	realReverseZone = `$ORIGIN 2.0.192.in-addr.arpa.
$TTL 60
@ SOA ns.example.test. hm.example.test. 1 60 60 60 60
@ NS ns.example.test.
10 PTR www.example.test.
`
)

func TestRealKnot(t *testing.T) {
	path := needProgram(t, "knotd", "knot")
	dir, port := serverDir(t), freePort(t)
	writeFile(t, dir, "zone", realZone)
	writeFile(t, dir, "reverse", realReverseZone)
	config := writeFile(t, dir, "knot.conf", fmt.Sprintf(`
server:
    rundir: "%[1]s"
    listen: [ 127.0.0.1@%[2]d, ::1@%[2]d ]
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: "%[1]s"
template:
  - id: default
    storage: "%[1]s"
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: example.test
    file: zone
  - domain: 2.0.192.in-addr.arpa
    file: reverse
`, dir, port))
	checkRealDNS(t, port, realServer{path: path, args: []string{"-c", config}})
}

func TestRealBIND(t *testing.T) {
	path := needProgram(t, "named", "bind9")
	dir, port := serverDir(t), freePort(t)
	config := writeFile(t, dir, "named.conf", fmt.Sprintf(`
options {
	directory "%[1]s";
	listen-on port %[2]d { 127.0.0.1; };
	listen-on-v6 port %[2]d { ::1; };
	pid-file none;
	session-keyfile "%[1]s/session.key";
	managed-keys-directory "%[1]s";
	recursion no;
	dnssec-validation no;
	empty-zones-enable no;
};
controls { };
zone "example.test" { type master; file "%[3]s"; };
zone "2.0.192.in-addr.arpa" { type master; file "%[4]s"; };
`, dir, port, writeFile(t, dir, "zone", realZone), writeFile(t, dir, "reverse", realReverseZone)))
	checkRealDNS(t, port, realServer{path: path, args: []string{"-g", "-n", "1", "-c", config}})
}

// checkRealDNS checks a name server that serves both zones.
func checkRealDNS(t *testing.T, port uint16, s realServer) {
	good := Spec{Type: "negotiate", Service: "dns", Protocol: "udp", Target: loopback(port),
		NegotiateTimeout: inTime,
		Request:          "/www.example.test", Receive: `^192\.0\.2\.10$`}
	s.ready = answers(build(t, good, nil))
	pid := s.start(t)
	ask := func(request, receive string) func(*Spec) {
		return func(s *Spec) { s.Request, s.Receive = request, receive }
	}
	checkCells(t, good, []cell{
		{"good", nil, "up: www.example.test is 192.0.2.10"},
		{"good over IPv6", onIPv6, "up: www.example.test is 192.0.2.10"},
		{"good over TCP", func(s *Spec) { s.Protocol = "tcp" }, "up: www.example.test is 192.0.2.10"},
		{"good over TCP and IPv6", func(s *Spec) { s.Protocol, s.Target = "tcp", loopback6(port) },
			"up: www.example.test is 192.0.2.10"},
		{"alias", ask("/alias.example.test", "192"), "up: alias.example.test is 192.0.2.10"},
		{"address", ask("/192.0.2.10", `^www\.`), "up: 10.2.0.192.in-addr.arpa is www.example.test"},
		{"wrong answer", ask("/www.example.test", "198"),
			"down: www.example.test does not match /198/: got 192.0.2.10"},
		{"no such name", ask("/wwww.example.test", "192"), "down: NXDOMAIN for wwww.example.test"},
		{"no such name over TCP", func(s *Spec) { s.Protocol, s.Request = "tcp", "/x.example.test" },
			"down: NXDOMAIN for x.example.test"},
		{"no address", ask("/six.example.test", "2001"), "down: no A record for six.example.test"},
		{"not its zone", ask("/www.example.org", "192"), "down: REFUSED for www.example.org"},
	})
	freeze(t, pid)
	good.NegotiateTimeout = tooLate
	checkCells(t, good, []cell{
		{"frozen", nil, "down: no answer in 400ms"},
		{"frozen over TCP", func(s *Spec) { s.Protocol = "tcp" }, "down: no answer in 400ms"},
	})
}
