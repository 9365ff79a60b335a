package daemon

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/resolve"
	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/nameserver"
	"ldirectord/parser"
)

// The test starts a name server of a Debian package on loopback. It runs when REAL_TESTS is set. Without the package
// it is skipped; with REAL_TESTS=required it fails.
func TestRealNameServer(t *testing.T) {
	if os.Getenv("REAL_TESTS") == "" {
		t.Skip("needs a real server: make test-all")
	}
	program := testkit.Program(t, "knotd", "knot")
	server, port, zone := startKnot(t, program)
	nameserver.Ask(t, fmt.Sprintf("127.0.0.1:%d", port))
	testkit.Until(t, awaitLimit, func() bool { return answers(t) })

	const good = "web1=192.0.2.10 alias=192.0.2.10 six: six: both=192.0.2.12"
	testkit.Equal(t, lookedUp(t, 5*time.Second), good+" none: foreign:", "while it answers")
	testkit.OK(t, server.Signal(syscall.SIGSTOP))
	testkit.Until(t, awaitLimit, func() bool { return !answers(t) }) // its threads stop one after the other
	testkit.Equal(t, lookedUp(t, 7*time.Second), "web1: alias: six: six: both: none: foreign:", "while it hangs")
	testkit.OK(t, server.Signal(syscall.SIGCONT))
	testkit.Until(t, awaitLimit, func() bool { return answers(t) })
	testkit.Equal(t, lookedUp(t, 5*time.Second), good+" none: foreign:", "when it answers again")
	moves(t, server, zone)
	testkit.OK(t, server.Kill())
	testkit.Until(t, awaitLimit, func() bool { return !answers(t) })
	testkit.Equal(t, lookedUp(t, 5*time.Second), "web1: alias: six: six: both: none: foreign:", "when it is gone")
}

// moves changes the address of a name while the daemon looks it up regularly. Then the name server stops answering.
func moves(t *testing.T, server *os.Process, zone string) {
	t.Helper()
	const src = "resolve = 1\nvirtual = 192.0.2.1:80\n\treal = web1.example.test:80 masq\n" +
		"\treal = both.example.test:80 masq\n"
	cfg, found := parser.Parse(t.Context(), "ld.cf", []byte(src), parser.Options{Resolver: newSystemNames()})
	if found.HasErrors() {
		t.Fatal(found)
	}
	followed := resolve.Followed(cfg.Names)
	look := func(ctx context.Context) []resolve.Name {
		return resolve.Source{Resolver: newSystemNames()}.LookUp(ctx, followed, cfg.OwnAddresses())
	}
	change := func(what string) []resolve.Name {
		ctx := testkit.Within(t, awaitLimit)
		list := resolve.Await(ctx, look, followed, 0, 20*time.Millisecond, 20*time.Millisecond)
		if len(list) == 0 {
			t.Fatalf("%s: nothing changed", what)
		}
		return list
	}
	text := testkit.Must(os.ReadFile(zone))(t)
	text = []byte(strings.NewReplacer("hm 1 60", "hm 2 60", "web1 A 192.0.2.10",
		"web1 A 192.0.2.11").Replace(string(text)))
	testkit.Write(t, zone, string(text))
	testkit.OK(t, server.Signal(syscall.SIGHUP))
	if now := change("a new zone"); len(now) != 1 || now[0].Host != "web1.example.test" ||
		now[0].Addr.String() != "192.0.2.11" || now[0].Why != "" {
		t.Errorf("another address: %+v", now)
	}
	testkit.OK(t, server.Signal(syscall.SIGSTOP))
	testkit.Until(t, awaitLimit, func() bool { return !answers(t) })
	for _, n := range change("no answer") {
		if n.Why == "" || !n.Addr.IsValid() {
			t.Errorf("while it hangs: %+v", n)
		}
	}
	testkit.OK(t, server.Signal(syscall.SIGCONT))
}

// answers reports whether the name server answers at once.
func answers(t *testing.T) bool {
	ctx := testkit.Within(t, 200*time.Millisecond)
	_, err := newSystemNames().Host(ctx, "web1.example.test", false)
	return err == nil
}

// lookedUp lists the servers of a configuration with these names: each has an address, or waits for one.
func lookedUp(t *testing.T, limit time.Duration) string {
	t.Helper()
	src, hosts := "virtual = 192.0.2.1:80\n", strings.Fields("web1 alias six six both none foreign")
	full := func(host string) string {
		if host == "foreign" {
			return "www.example.org"
		}
		return host + ".example.test"
	}
	for _, host := range hosts {
		src += "\treal = " + full(host) + ":80 masq\n"
	}
	begun := time.Now()
	cfg, found := parser.Parse(t.Context(), "ld.cf", []byte(src),
		parser.Options{Resolver: newSystemNames(), Wait: true})
	if found.HasErrors() {
		t.Fatal(found)
	}
	if d := time.Since(begun); d > limit {
		t.Errorf("it took %v", d)
	}
	addrs := map[string]netip.Addr{}
	for _, n := range cfg.Names {
		addrs[n.Host] = n.Addr
	}
	var list []string
	for _, host := range hosts {
		if a := addrs[full(host)]; a.IsValid() {
			list = append(list, host+"="+a.String())
		} else {
			list = append(list, host+":")
		}
	}
	return strings.Join(list, " ")
}

// startKnot runs a name server until the test ends. It returns its port and the file of its zone.
func startKnot(t *testing.T, program string) (*os.Process, int, string) {
	t.Helper()
	dir := t.TempDir()
	port := int(testkit.FreeAddr(t).Port())
	for name, text := range map[string]string{
		"zone": `$ORIGIN example.test.
$TTL 0
@ SOA ns hm 1 60 60 60 60
@ NS ns
ns A 127.0.0.1
web1 A 192.0.2.10
alias CNAME web1
six AAAA 2001:db8::10
both A 192.0.2.12
both AAAA 2001:db8::12
`,
		"knot.conf": fmt.Sprintf(`
server:
    rundir: "%[1]s"
    listen: 127.0.0.1@%[2]d
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
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
`, dir, port),
	} {
		testkit.Write(t, filepath.Join(dir, name), text)
	}
	cmd := exec.Command(program, "-c", filepath.Join(dir, "knot.conf"))
	testkit.OK(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd.Process, port, filepath.Join(dir, "zone")
}

func TestOwnAddress(t *testing.T) {
	is := ownAddress()
	all, err := net.InterfaceAddrs()
	if err != nil || len(all) == 0 {
		t.Skip("this machine has no address: ", err)
	}
	for _, one := range all {
		if p := netip.MustParsePrefix(one.String()); !is(p.Addr()) {
			t.Errorf("%s is not this machine's", p)
		}
	}
	if other := netip.MustParseAddr("192.0.2.200"); is(other) {
		t.Errorf("%s is this machine's", other)
	}
}
