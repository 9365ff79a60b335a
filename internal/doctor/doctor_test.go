package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mdlayher/ndp"

	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// check reports missing programs, a missing group and readable passwords, in the order of the file.
func TestAdvise(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ld.cf")
	config := "statusgroup = no-such-group\n" +
		"virtual = 192.0.2.10:80\n  real = 192.0.2.21:80 gate\n  checktype = external\n" +
		"  checkcommand = /no/such/program\n" +
		"virtual = 192.0.2.10:81\n  real = 192.0.2.21:81 gate\n  checktype = external-perl\n  checkcommand = " +
		dir + "\n" +
		"virtual = 192.0.2.10:82\n  real = 192.0.2.21:82 gate\n  service = ftp\n  login = \"a\"\n" +
		"  passwd = \"b\"\n"
	testkit.OK(t, os.WriteFile(path, []byte(config), 0o644))
	cfg, found := parser.Parse(t.Context(), path, []byte(config), parser.Options{})
	if cfg == nil {
		t.Fatal(found)
	}
	advised := func() (kinds []string) {
		all := Advise(t.Context(), cfg, servicesOf(t, config), Daemon{})
		for _, d := range append(all, JudgePrograms(cfg)...).ByPosition() {
			if d.Kind != "writable-file" { // the folders of the test may be writable for others
				kinds = append(kinds, fmt.Sprintf("%d %s", d.Pos.Line, d.Kind))
			}
		}
		return kinds
	}
	private := []string{"1 missing-group", "5 missing-program", "9 missing-program"}
	testkit.Same(t, advised(), append(private, "14 readable-secret"))
	testkit.OK(t, os.Chmod(path, 0o600))
	testkit.Same(t, advised(), private, "nobody else can read it")
}

// A loopback address is found on this machine, and the report has all that was examined.
func TestExamine(t *testing.T) {
	p := planOf(t, "virtual = 127.0.0.9:81\n  real = 127.0.0.1:80 masq\n  checktype = on\n")
	report := Examine(t.Context(), p, "ld.cf", Daemon{})
	kinds := map[string]bool{}
	for _, f := range report.Findings {
		kinds[f.Kind] = true
	}
	if kinds["virtual-address"] || !kinds["masq-loopback"] || !report.IsBroken() {
		t.Errorf("%+v", report.Findings)
	}
	always := slices.DeleteFunc(report.LookedAt, func(s string) bool { return s == "rules of NAT" })
	testkit.Same(t, always, []string{"addresses", "kernel settings", "modules", "routes", "sockets"}, "looked at")
	if (Report{Findings: []Finding{{Severity: "warning"}}}).IsBroken() {
		t.Error("a warning counts as broken")
	}
}

func TestJudgeMarks(t *testing.T) {
	for line, want := range map[string]bool{"127.0.0.1 all all": true, "127.0.0.1 tcp 80": false,
		"192.0.2.10 tcp all": false} {
		found := JudgeMarks(mustParse(t, "virtual=3\n\treal=192.0.2.21:80 gate\n\tmark="+line+"\n"))
		testkit.Equal(t, found.HasErrors(), want, line, found)
	}
}

// Each question is sent again, as a packet may be lost.
func TestQuestionsAreSentTwice(t *testing.T) {
	q := inquiry{device: device{Interface: net.Interface{Name: "eth0"}},
		addrs: []netip.Addr{addrOf("192.0.2.10"), addrOf("192.0.2.11")}}
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		start := time.Now()
		err := q.sendTwice(t.Context(), func(addr netip.Addr) error {
			sent = append(sent, fmt.Sprint(addr, time.Since(start)))
			return nil
		})
		want := []string{"192.0.2.10 0s", "192.0.2.11 0s", "192.0.2.10 " + resendAfter.String(),
			"192.0.2.11 " + resendAfter.String()}
		testkit.OK(t, err)
		testkit.Same(t, sent, want)
		ctx, cancel := context.WithTimeout(t.Context(), resendAfter/2)
		defer cancel()
		n := 0
		if err := q.sendTwice(ctx, func(netip.Addr) error { n++; return nil }); err != nil || n != 2 {
			t.Errorf("after the end of time: %d, %v", n, err)
		}
		n = 0
		if err := q.sendTwice(t.Context(),
			func(netip.Addr) error { n++; return os.ErrDeadlineExceeded }); err != nil || n != 1 {
			t.Errorf("on a socket whose time is over: %d, %v", n, err)
		}
		err = q.sendTwice(t.Context(), func(netip.Addr) error { return errors.New("no buffers") })
		testkit.Fails(t, err, "asking for 192.0.2.10 on eth0: no buffers")
	})
}

func TestNeighboursOfAllLinksAreMerged(t *testing.T) {
	n := neighbours{}
	one, other := addrOf("192.0.2.10"), addrOf("192.0.2.11")
	n.add(one, "a")
	n.add(one, "a")
	n.add(one, "b")
	n.add(other, "c")
	testkit.Same(t, n, neighbours{one: {"a", "b"}, other: {"c"}})
}

// A solicitation contains the target and our hardware address (RFC 4861, section 4.3).
func TestSolicitation(t *testing.T) {
	addr := addrOf("2001:db8::10:2030")
	q := inquiry{device: device{Interface: net.Interface{HardwareAddr: []byte{2, 0, 0, 0, 0, 1}}}}
	got, err := ndp.MarshalMessage(q.solicitation(addr))
	want := slices.Concat([]byte{135, 0, 0, 0, 0, 0, 0, 0}, addr.AsSlice(), []byte{1, 1, 2, 0, 0, 0, 0, 1})
	if err != nil || len(got) != len(want) || !slices.Equal(got[4:], want[4:]) || got[0] != 135 {
		t.Errorf("% x, %v, want % x", got, err, want)
	}
}

func TestReasonOfAFailedConnection(t *testing.T) {
	err := fmt.Errorf("connecting: %w", &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")})
	testkit.Equal(t, reason(err), "connection refused")
	testkit.Equal(t, reason(errors.New("no route")), "no route")
}

// For a mark, clients are imitated only at single TCP ports of single addresses.
func TestWhatClientsAskOfAMark(t *testing.T) {
	services := servicesOf(t, "virtual = 3\n  mark = 192.0.2.10 tcp 80,443\n  mark = 192.0.2.11 tcp 1:9\n"+
		"  mark = 192.0.2.12 udp 53\n  mark = 198.51.100.0/24 tcp 80\n"+
		"  real = 192.0.2.21:80 gate\n  checktype = on\n")
	testkit.Same(t, asked(services[0].Config),
		[]netip.AddrPort{addrPort("192.0.2.10:80"), addrPort("192.0.2.10:443")})
}

// A finding about many services is shown once, under the first one.
func TestFindingsOfManyServices(t *testing.T) {
	var f findings
	for _, id := range []string{"a", "b", "b", "c"} {
		f.add(Finding{Severity: broken, Kind: "k", Virtuals: []string{id}, Text: "it is broken"})
	}
	f.add(Finding{Severity: "warning", Kind: "k", Virtuals: []string{"a"}, Text: "it is broken", Command: "fix it"})
	var got []string
	for _, one := range f.list {
		got = append(got, one.String())
	}
	testkit.Same(t, got,
		[]string{"broken: a and 2 more: it is broken", "warning: a: it is broken; to fix it: fix it"})
}

// The kernel sends a lost segment again after a second: the timeout must be longer.
func TestServersHaveTimeForALostSegment(t *testing.T) {
	ways := waysOf(servicesOf(t, byGate)[0])
	if len(ways) == 0 || ways[0].Timeout < 3*time.Second/2 {
		t.Errorf("asked: %+v", ways)
	}
}

// Sections with one program cost one look, and the programs of a folder whose file server is gone one wait.
func TestProgramsOfManySections(t *testing.T) {
	dir, text := t.TempDir(), ""
	for i := range 1000 {
		path := fmt.Sprint(dir, "/", i%4)
		testkit.OK(t, os.WriteFile(path, nil, 0o700))
		text += fmt.Sprintf("virtual=192.0.2.1:%d\n\treal=192.0.2.2:80 gate\n\tchecktype=external%s\n"+
			"\tcheckcommand=%s\n", i+1, []string{"", "-perl"}[i%2], path)
	}
	cfg := mustParse(t, text)
	if n := testing.AllocsPerRun(1, func() { judgeExternal(cfg) }); n > 4000 {
		t.Errorf("%v allocations", n)
	}
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		_ = runfile.Try(dir, func() error { <-end; return nil })
		testkit.Equal(t, len(judgeExternal(cfg)), 1000)
		close(end)
	})
}
