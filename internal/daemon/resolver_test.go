package daemon

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"ldirectord/internal/resolve"
	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/nameserver"
)

// The look-up follows getservbyname(3): the first entry with this name or alias counts, upper case matters, and the
// protocol may be left open.
func TestPortOfAServiceName(t *testing.T) {
	const database = `# comment 1/tcp
tcpmux
split		7002/udp
split		7001/tcp
Shop-Front	7100/tcp	shop	ShopOne	# not 7101/tcp old
a-name-of-more-than-25-letters	7200/tcp
sctponly	7300/sctp
broken		http/tcp
broken		65536/tcp
broken		7400/tcp
`
	for _, row := range testkit.Table(t, "testdata/ports.txt", 3) {
		port, _ := portIn(database, row[0], row[1])
		testkit.Equal(t, fmt.Sprint(port), cmp.Or(row[2], "0"), row)
	}
}

// The hosts file counts as in hosts(5): any letters, aliases, several lines of one name, each family for itself. The
// family that a name lacks is the name server's, also if this machine's own file has the name, as it has localhost.
func TestAddressesInAHostsFile(t *testing.T) {
	const file = `# 192.0.2.9 rs1
192.0.2.1	rs1 Web.example.net # rs9
2001:db8::1	rs1 rs6
192.0.2.2 rs1.
192.0.2.9 localhost referred
::ffff:192.0.2.3 mapped
wrong rs1
192.0.2.4
`
	nameserver.Use(t, func(name string) string {
		if name == "referred." {
			return "refers"
		}
		return "cut 192.0.2.7 2001:db8::7 192.0.2.8"
	})
	if !asksServers(hostSources()) {
		t.Skip("nsswitch.conf names no name servers")
	}
	n := systemNames{func() (hosts, error) { return hostsIn(file), nil }}
	for _, row := range testkit.Table(t, "testdata/hosts.txt", 3) {
		got, err := n.Host(t.Context(), row[0], row[1] == "IPv6")
		if !strings.HasPrefix(row[2], "[") {
			testkit.FailsWith(t, err, row[2])
			continue
		}
		testkit.OK(t, err, row)
		testkit.Equal(t, fmt.Sprint(got), row[2], row)
	}
	testkit.Equal(t, len(hostsIn(file)), 6, "names of the file")
}

func TestSourcesOfNames(t *testing.T) {
	for order, want := range map[string]string{
		"":                                  "[] true",
		"passwd: dns\n hosts:\tfiles dns\n": "[files dns] true",
		"hosts: dns files # files dns\n":    "[dns files] true",
		"# hosts: files\nhosts: resolve\n":  "[resolve] true",
		"hosts: files myhostname # dns\n":   "[files myhostname] false",
		"hosts: files [NOTFOUND=return]\n":  "[files [NOTFOUND=return]] false",
	} {
		sources := sourcesIn(order)
		testkit.Equal(t, fmt.Sprint(sources, asksServers(sources)), want, order)
	}
}

// Without the hosts file a name server might give another address.
func TestAHostsFileThatCantBeReadIsNotEmpty(t *testing.T) {
	testkit.WithoutDescriptors(t, func() {
		_, err := newSystemNames().Host(t.Context(), "localhost", false)
		testkit.FailsWith(t, err, "open /etc/hosts: too many open files")
	})
}

// The second name server is asked in time if the first one is dead, also for a name that the hosts file has in the
// other family.
func TestADeadFirstNameServer(t *testing.T) {
	if !nameserver.Configured(t, "nameserver 127.0.0.1\nnameserver 127.0.0.2\n") {
		return
	}
	servers := map[string]string{}
	for server, says := range map[string]string{"127.0.0.1:53": "silent", "127.0.0.2:53": "10.2.0.1"} {
		servers[server] = nameserver.Use(t, func(string) string { return says })
	}
	net.DefaultResolver.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, servers[address])
	}
	n := systemNames{func() (hosts, error) { return hostsIn("fe00::1 half"), nil }}
	for _, name := range []string{"half.", "whole."} {
		for _, by := range []resolve.Resolver{n, wholeNames{n}} {
			t.Run(fmt.Sprintf("%s by %T", name, by), func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(t.Context(), resolve.LookupDeadline)
				defer cancel()
				testkit.Equal(t, fmt.Sprint(testkit.Must(by.Host(ctx, name, false))(t)), "[10.2.0.1]")
			})
		}
	}
}
