package main

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

func TestTurnSharesByWeight(t *testing.T) {
	for _, c := range []struct {
		fact  string
		dests []dest
		want  string // of eight requests
	}{
		{"by weight, and not in bursts", []dest{{"a", 1}, {"b", 2}, {"c", 1}}, "b a c b b a c b"},
		{"weight 0 gets nothing", []dest{{"a", 0}, {"b", 1}}, "b b b b b b b b"},
		{"one alone gets all", []dest{{"a", 3}}, "a a a a a a a a"},
		{"nobody", []dest{{"a", 0}}, "       "},
	} {
		owed := make(map[string]int)
		var got []string
		for range 8 {
			got = append(got, turn(owed, c.dests))
		}
		testkit.Equal(t, strings.Join(got, " "), c.want, c.fact)
	}
}

// relayed is a stage without a daemon: the test writes the table.
func relayed(t *testing.T) *stage {
	t.Helper()
	s := testkit.Must(newStage(options{config: "../../examples/demo.cf"}, io.Discard))(t)
	t.Cleanup(func() { s.close() })
	return s
}

func (s *stage) writeTable(t *testing.T, weights ...int) {
	t.Helper()
	lines := "-A -t " + s.virtual + " -s wrr\n"
	for i, w := range s.webs[:len(weights)] {
		lines += "-a -t " + s.virtual + " -r " + w.addr + " -m -w " + string(rune('0'+weights[i])) + "\n"
	}
	testkit.OK(t, replaceFile(s.tableFile, lines))
}

// requests is the number of requests for one share. Every sum of weights in these tests divides it, so that round
// robin shares exactly by weight.
const requests = 24

// share sends requests to a virtual service, each on a new connection, and counts the answers: "web1 6, web2 12, web3
// 6".
func share(t *testing.T, virtual string) string {
	t.Helper()
	count := make(map[string]int)
	for range requests {
		count[answerer(t.Context(), virtual)]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, count[name]))
	}
	return strings.Join(parts, ", ")
}

func TestRelayFollowsTheTable(t *testing.T) {
	s := relayed(t)
	for _, c := range []struct {
		weights []int
		want    string
	}{
		{nil, "nobody 24"},
		{[]int{1, 2, 1}, "web1 6, web2 12, web3 6"},
		{[]int{0, 0, 1}, "web3 24"},
		{[]int{0, 0, 0}, "nobody 24"},
		{[]int{3, 1, 0}, "web1 18, web2 6"},
	} {
		s.writeTable(t, c.weights...)
		testkit.Equal(t, share(t, s.virtual), c.want, "weights", c.weights)
	}
}

func TestCloseCutsAnOpenConnection(t *testing.T) {
	s := relayed(t)
	s.writeTable(t, 1)
	c := testkit.Must(net.Dial("tcp", s.virtual))(t)
	defer c.Close()
	testkit.OK(t, s.close())
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the connection outlived the relay: %v", err)
	}
	if _, err := os.Stat(s.dir); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	if _, err := newStage(options{config: "../../examples/demo.cf"}, io.Discard); err == nil {
		t.Fatal("started without a temporary folder")
	}
}

func TestListenTakesTheNextFreePort(t *testing.T) {
	first := testkit.Must(listen(netip.MustParseAddrPort("127.0.0.1:8080")))(t)
	defer first.Close()
	taken := netip.MustParseAddrPort(first.Addr().String())
	second := testkit.Must(listen(taken))(t)
	defer second.Close()
	if got := netip.MustParseAddrPort(second.Addr().String()); got.Port() <= taken.Port() {
		t.Errorf("got %v, want a port above %v", got, taken)
	}
}

func TestWebServer(t *testing.T) {
	own := netip.MustParseAddr(testkit.OwnLoopback()) // elsewhere another test may take the port while it is closed
	w := testkit.Must(openWeb("web1", netip.AddrPortFrom(own, 8081), 200, "Hello."))(t)
	defer w.stop()
	status := func() int {
		resp, err := ask(t.Context(), "http://"+w.addr+"/health")
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, step := range []struct {
		fact string
		do   func()
		want int
	}{
		{"it runs from the beginning", func() {}, 200},
		{"it fails when told to", func() { w.failing.Store(true) }, 503},
		{"start makes it well", func() { w.start(false) }, 200},
		{"stop closes its port", w.stop, 0},
		{"a second stop does no harm", w.stop, 0},
		{"a stopped one can fail, too", func() { w.start(true) }, 503},
		{"start opens the same port", func() { w.stop(); w.start(false) }, 200},
	} {
		step.do()
		testkit.Equal(t, status(), step.want, step.fact)
	}
}

func TestMoveTo(t *testing.T) {
	const conf = "# 127.0.0.1:8080\nlisten = 127.0.0.1:9797\nvirtual = 127.0.0.1:8080\n" +
		"  real = 127.0.0.1:8081 masq 2\n  fallback=127.0.0.1:80 masq\n"
	p := testkit.Must(findPlaces(conf))(t)
	if p.virtual.Port() != 8080 || p.listen.Port() != 9797 || p.fallback.Port() != 80 || len(p.reals) != 1 ||
		p.reals[0].Port() != 8081 {
		t.Errorf("found %+v", p)
	}
	got := moveTo(conf, map[string]string{"127.0.0.1:8080": "127.0.0.1:8081", "127.0.0.1:8081": "127.0.0.1:8082"})
	want := "# 127.0.0.1:8081\nlisten = 127.0.0.1:9797\nvirtual = 127.0.0.1:8081\n" +
		"  real = 127.0.0.1:8082 masq 2\n  fallback=127.0.0.1:80 masq\n"
	testkit.Equal(t, got, want, "moved")
	if _, err := findPlaces("virtual = 127.0.0.1:80\n"); err == nil {
		t.Error("a configuration without real servers was taken")
	}
}

func TestSetWeight(t *testing.T) {
	const conf = "\treal = 127.0.0.1:8081 masq 2\n\treal = 127.0.0.1:80 gate\n"
	for _, c := range []struct{ fact, addr, want string }{
		{"a weight is exchanged", "127.0.0.1:8081",
			"\treal = 127.0.0.1:8081 masq 7\n\treal = 127.0.0.1:80 gate\n"},
		{"a missing one is added", "127.0.0.1:80",
			"\treal = 127.0.0.1:8081 masq 2\n\treal = 127.0.0.1:80 gate 7\n"},
	} {
		testkit.Equal(t, testkit.Must(setWeight(conf, c.addr, "7"))(t), c.want, c.fact)
	}
	if _, err := setWeight(conf, "127.0.0.1:808", "7"); err == nil {
		t.Error("a stranger's weight was set")
	}
}
