package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// What a look tells of the facts.
func TestWhatThisMachineLacks(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/lacks.txt", 4) {
		var got []string
		for _, one := range conditions(factsOf(t, row[1], row[2])) {
			got = append(got, fmt.Sprintf("%s %v %s", one.Kind, one.Trouble, one.Text))
		}
		if !fits(got, row[3]) {
			t.Errorf("%s: got %q, want %q", row[0], got, row[3])
		}
	}
	for kind := range watched {
		if rows()[kind].text == "" {
			t.Errorf("findings.txt has no %s", kind)
		}
	}
}

// fits reports whether each line has the words of its part of want, in their order.
func fits(got []string, want string) bool {
	parts := strings.Split(want, ", ")
	if want == "" {
		parts = nil
	}
	for i, line := range got {
		if i >= len(parts) {
			return false
		}
		kind, rest, _ := strings.Cut(parts[i], " ")
		trouble, text, _ := strings.Cut(rest, " ")
		if !strings.HasPrefix(line, kind+" "+trouble+" ") || !strings.Contains(line, text) {
			return false
		}
	}
	return len(got) == len(parts)
}

// written writes files of /proc, and returns the folder.
func proc(t *testing.T, files map[string]string) string {
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, "proc", name)
		testkit.OK(t, os.MkdirAll(filepath.Dir(path), 0o755))
		testkit.Write(t, path, text)
	}
	return root
}

const (
	arpCache = "entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast\n" +
		"000003a0  00000010 00000000 0000\n000003a0  00000000 00000000 0000\n"
	ipvs = "IP Virtual Server version 1.2.1 (size=4)\nProt LocalAddress:Port Scheduler Flags\n" +
		"  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n" +
		"TCP  C000020A:0050 wrr persistent 300 FFFFFFFF\n" +
		"  -> C0000215:0050      Masq    1      20         9         \n"
	lastServer = "  -> C0000216:0050      Masq    1      0          1         \n"
)

// What a look reads, in a folder in place of /proc.
func TestALookReadsProc(t *testing.T) {
	files := map[string]string{
		"sys/net/netfilter/nf_conntrack_count": "95\n", "sys/net/netfilter/nf_conntrack_max": "100\n",
		"sys/net/ipv4/neigh/default/gc_thresh3": "1024\n", "sys/net/ipv6/neigh/default/gc_thresh3": "1024\n",
		"net/stat/arp_cache": arpCache, "net/stat/ndisc_cache": strings.ReplaceAll(arpCache, "3a0", "003"),
		"net/ip_vs":        ipvs + strings.Repeat("  ->\n", maxList/5) + lastServer,
		"net/softnet_stat": "000000ff 00000002 00000000\n000000ff 00000003 00000000\n",
	}
	m := NewMachine(servicesOf(t, "virtual = 127.0.0.1:80\n  real = 127.0.0.1:80 masq\n  checktype = on\n"))
	m.root = proc(t, files)
	now := time.Now()
	texts := func(list []view.Condition) (all string) {
		for _, one := range list {
			all += one.Text + "\n"
		}
		return all
	}
	const full = "conntrack has 95 connections of at most 100; " +
		"when it is full, packets of new connections are dropped; " +
		"to fix it: sysctl -w net.netfilter.nf_conntrack_max=200\n" +
		"the kernel's neighbour table has 928 entries of at most 1024; " +
		"when it is full, the kernel can't reach new servers or routers; " +
		"to fix it: sysctl -w net.ipv4.neigh.default.gc_thresh3=2048\n" +
		"IPVS has 30 connections, but its table is fast only up to 32, and each lookup delays a packet; " +
		"for a larger table, load the module ip_vs with the option conn_tab_bits=20\n"
	testkit.Equal(t, texts(m.Look(now)), full, "first")
	files["net/softnet_stat"] = "000000ff 00000002 00000000\n000000ff 00000013 00000000\n"
	m.root = proc(t, files)
	const dropped = "16 packets were dropped within 10s because a processor's queue was full; " +
		"use more queues of the network card, or raise net.core.netdev_max_backlog\n"
	testkit.Equal(t, texts(m.Look(now.Add(10*time.Second))), full+dropped, "after drops")
	testkit.Equal(t, texts(m.Look(now.Add(20*time.Second))), full, "without new drops")
	m.root = t.TempDir() // no conntrack, no IPVS, nothing
	testkit.Equal(t, texts(m.Look(now.Add(30*time.Second))), "", "without files")
	m.root = proc(t, map[string]string{
		"sys/net/netfilter/nf_conntrack_count": "no number", "sys/net/netfilter/nf_conntrack_max": "-1",
		"net/stat/arp_cache": "\n\n", "net/ip_vs": "(size=\n -> 1 2 3 4 5\n->",
		"net/softnet_stat": "z\n z z\n" + strings.Repeat("\n", maxList),
	})
	testkit.Equal(t, texts(m.Look(now.Add(40*time.Second))), "", "with nonsense")
}

// A server whose route is gone keeps the last one, so that its card is known.
func TestALookKeepsTheLastRoute(t *testing.T) {
	f := factsOf(t, "masq", "")
	f.devices = f.devices[:1]
	server := routeQuery{to: addrOf("192.0.2.21")}
	last := f.routes
	f.routes = map[routeQuery]route{server: {}}
	if found := conditions(f); len(found) > 0 {
		t.Errorf("without a route: %+v", found)
	}
	f.keepRoutes(last)
	if found := conditions(f); len(found) != 1 || !strings.Contains(found[0].Text, "eth0") {
		t.Errorf("with the last route: %+v", found)
	}
	m := NewMachine(nil)
	if m.last.routes = last; m.read(time.Now()).routes[server].device != "eth0" {
		t.Error("a look forgets the last route")
	}
	f.routes[server] = route{device: "lo"}
	f.keepRoutes(last)
	if f.routes[server].device != "lo" {
		t.Error("the last route replaces a new one")
	}
}

// Packets to servers of one network usually take one way: one of them is an example of all.
func TestALookTakesExamples(t *testing.T) {
	var config strings.Builder
	for i := range 300 {
		fmt.Fprintf(&config, "virtual = 192.0.2.10:%d\n  checktype = on\n  real = 10.%d.%d.1:80 masq\n"+
			"  real = 10.%d.%d.2:80 masq\n  real = 10.%d.%d.3:80 ipip\n",
			i+1, i/200, i%200, i/200, i%200, i/200, i%200)
	}
	for _, row := range testkit.Table(t, "testdata/examples.txt", 3) {
		services := servicesOf(t, strings.Replace(fileOf(row[0]), "MANY\n", config.String(), 1))
		before, n := len(services[0].Entries), 0
		var devices []device
		for word := range strings.FieldsSeq(row[2]) {
			name, prefix, _ := strings.Cut(word, "=")
			devices = append(devices, device{Interface: net.Interface{Name: name},
				prefixes: []netip.Prefix{netip.MustParsePrefix(prefix)}})
		}
		narrow := networks{}
		narrow.add(devices)
		got := examples(services, devices, narrow)
		for _, s := range got {
			n += len(s.Entries)
		}
		testkit.Equal(t, fmt.Sprint(len(got), " ", n), row[1], row[0])
		testkit.Equal(t, len(services[0].Entries), before, row[0], "afterwards")
	}
}
