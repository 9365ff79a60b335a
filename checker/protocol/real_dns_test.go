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
	good := asking(t, "dns", loopback(port), `protocol=udp; request=/www.example.test; receive=^192\.0\.2\.10$`)
	pid := s.answering(t, good)
	checkReal(t, "name server", good)
	freeze(t, pid)
	checkReal(t, "name server frozen", good)
}
