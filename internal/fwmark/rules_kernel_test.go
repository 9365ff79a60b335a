package fwmark

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/subprocess"
	"ldirectord/internal/testkit"
)

// TestKernelRules runs in the lab too, whose kernel has no nf_tables for IPv4.
func TestKernelRules(t *testing.T) {
	if os.Getenv("IPVS_TESTS") == "" {
		t.Skip("TestRulesOnThisKernel does it here")
	}
	withRealTables(t)
}

// TestRulesOnThisKernel is the same on the kernel of this machine, in a network namespace of its own.
func TestRulesOnThisKernel(t *testing.T) {
	if os.Getenv("IPVS_TESTS") == "" {
		withRealTables(t)
	}
}

func withRealTables(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil || os.Getenv(apart) == "" {
		t.Skip("needs root, network namespaces and ip (package iproute2)")
	}
	sh(t, "ip link set lo up; ip addr add 192.0.2.10/32 dev lo; ip addr add 2001:db8::10/128 dev lo nodad")
	t.Cleanup(func() { sh(t, "ip addr del 192.0.2.10/32 dev lo; ip addr del 2001:db8::10/128 dev lo") })
	for _, b := range backEnds {
		t.Run(string(b), func(t *testing.T) {
			exec.Command("modprobe", "-aq", "nf_tables", "nft_compat").Run()
			k := &kernel{ipv4: string(b), ipv6: strings.Replace(string(b), "ip", "ip6", 1)}
			for _, program := range []string{k.ipv4, k.ipv6} {
				if out, err := exec.Command(program, "-t", mangle, "-N",
					"TRY").CombinedOutput(); err != nil {
					if b == Legacy && os.Getenv("IPVS_TESTS") == "required" {
						t.Fatalf("%s: %v: %s", program, err, out)
					}
					t.Skipf("this kernel has no tables for %s: %s", program, out)
				}
				sh(t, "%s -t mangle -X TRY", program)
			}
			for _, test := range []struct {
				name string
				do   func(*testing.T, *kernel)
			}{
				{"packets get their marks", marksOfPackets},
				{"changes leave no packet without", changesUnderTraffic},
				{"kills leave no packet without", killsUnderTraffic},
				{"damage is reported and repaired", realDamage},
				{"leftovers of a crash are found", leftovers},
				{"inspect sees who sets marks", inspectMachine},
				{"errors name what is wrong", realErrors},
			} {
				t.Run(test.name, func(t *testing.T) {
					t.Cleanup(k.flush)
					test.do(t, k)
				})
			}
		})
	}
}

// kernel has the programs of one back end.
type kernel struct{ ipv4, ipv6 string }

func (k *kernel) open(daemon string) *Firewall {
	return open(daemon, &xtables{program: k.ipv4}, &xtables{program: k.ipv6, ipv6: true})
}

func (k *kernel) flush() {
	for _, program := range []string{k.ipv4, k.ipv6} {
		exec.Command(program, "-t", mangle, "-F").Run()
		exec.Command(program, "-t", mangle, "-X").Run()
		exec.Command(program, "-t", raw, "-F").Run()
	}
}

func sh(t testing.TB, format string, args ...any) string {
	t.Helper()
	return testkit.Run(t, exec.Command("sh", "-ec", fmt.Sprintf(format, args...)))
}

// count appends rules that count the packets to a destination by their mark, after our rules have set it.
func (k *kernel) count(t testing.TB, match string, marks ...int) {
	t.Helper()
	for _, mark := range marks {
		sh(t, "%s -t mangle -A PREROUTING %s -m mark --mark %d", k.program(match), match, mark)
	}
}

func (k *kernel) program(match string) string {
	if strings.Contains(match, "::") {
		return k.ipv6
	}
	return k.ipv4
}

// counted is the number of packets that the rules of count matched, by mark.
func (k *kernel) counted(t testing.TB, match string) map[int]int {
	t.Helper()
	seen := map[int]int{}
	for rule := range strings.Lines(sh(t, "%s -t mangle -v -S PREROUTING", k.program(match))) {
		all := words(strings.TrimSpace(rule))
		mark, counter := slices.Index(all, "--mark"), slices.Index(all, "-c")
		if mark < 0 || counter < 0 || !strings.Contains(rule, match) {
			continue
		}
		m, _ := strconv.ParseInt(all[mark+1], 0, 64)
		n := testkit.Must(strconv.Atoi(all[counter+1]))(t)
		seen[int(m)] += n
	}
	return seen
}

// countedAll is counted, once as many packets were counted as were sent: the kernel may still have to process the
// last ones.
func (k *kernel) countedAll(t testing.TB, match string, sent int) map[int]int {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		seen := k.counted(t, match)
		all := 0
		for _, n := range seen {
			all += n
		}
		if all >= sent || time.Now().After(end) {
			return seen
		}
	}
}

// send sends one packet for a rule of this protocol and port.
func send(t testing.TB, protocol string, dest string, port int) {
	t.Helper()
	switch protocol {
	case "sctp":
		conn := testkit.Must(net.Dial("ip:132", dest))(t)
		defer conn.Close()
		packet := make([]byte, 32) // the ports are the first two words of the header (RFC 9260, 3.1)
		packet[2], packet[3] = byte(port>>8), byte(port)
		testkit.OK(t, testkit.Error(conn.Write(packet)))
	default:
		conn, err := net.DialTimeout(string(protocol), net.JoinHostPort(dest, strconv.Itoa(port)),
			5*time.Second)
		if err != nil { // with tcp the port is closed, but the first packet came in
			return
		}
		defer conn.Close()
		testkit.OK(t, testkit.Error(conn.Write([]byte("x"))))
	}
}

func marksOfPackets(t *testing.T, k *kernel) {
	var odd []string
	for port := 1001; port < 1080; port += 2 {
		odd = append(odd, strconv.Itoa(port))
	}
	for _, dest := range []string{"192.0.2.10", "2001:db8::10"} {
		match := "-d " + dest
		k.count(t, match, 0, 1, 2, 3, 4, 5, 6)
		want := rules(t,
			"1 "+dest+" all all",
			"2 "+dest+" tcp 80,443",
			"3 "+dest+" udp 5060,10000:20000",
			"4 "+dest+" sctp 7000",
			"5 "+dest+" sctp 7100,7200:7300",
			"6 "+dest+" tcp "+strings.Join(odd, ",")+",5000:5010",
		)
		f := k.open("marks")
		mustSync(t, f, want)
		seen := k.counted(t, match)
		for _, row := range testkit.Table(t, "../../testdata/fwmark/marks.txt", 2) {
			var protocol string
			var port, mark int
			testkit.Must(fmt.Sscan(row[0]+" "+row[1], &protocol, &port, &mark))(t, row)
			before := seen
			send(t, protocol, dest, port)
			if seen = k.counted(t, match); seen[mark] == before[mark] {
				t.Errorf("%s %s: %v, before %v", dest, row, seen, before)
			}
		}
		testkit.Equal(t, seen[0], 0, dest, "packets have no mark")
		if found := mustSync(t, f, want); found != nil {
			t.Errorf("what was set is not recognised: %q", found)
		}
		mustSync(t, f, nil)
		send(t, "udp", dest, 80)
		if seen := k.counted(t, match); seen[0] == 0 {
			t.Errorf("%s: still marked after the end: %v", dest, seen)
		}
	}
}

// stream sends to a port until the returned function is called, which returns the number of packets, or until the end
// of the test.
func stream(t *testing.T, dest string, port int) func() int {
	t.Helper()
	address := net.JoinHostPort(dest, strconv.Itoa(port))
	sink := testkit.Must(net.ListenPacket("udp", address))(t)
	t.Cleanup(func() { sink.Close() })
	conn := testkit.Must(net.Dial("udp", address))(t)
	t.Cleanup(func() { conn.Close() })
	stop, sent := make(chan struct{}), make(chan int)
	go func() {
		for n := 0; ; {
			select {
			case <-stop:
				sent <- n
				return
			default:
			}
			if _, err := conn.Write([]byte("x")); err == nil {
				n++
			}
			if n%32 == 0 {
				time.Sleep(100 * time.Microsecond) // leaves CPU time for the other tests
			}
		}
	}()
	end := sync.OnceValue(func() int {
		close(stop)
		return <-sent
	})
	t.Cleanup(func() { end() })
	return end
}

// Rules are added and removed around a rule that stays. Half of the changes are cut short at some step. The packets
// of the rule that stays have its mark at every moment.
func changesUnderTraffic(t *testing.T, k *kernel) {
	random := rand.New(rand.NewPCG(5, 4))
	for _, dest := range []string{"192.0.2.10", "2001:db8::10"} {
		match := "-d " + dest
		// without the packets that the system sends to this address
		k.count(t, match+" -p udp --dport 53", 0, 7, 8)
		stays := rule(t, "8 "+dest+" udp 53")
		mustSync(t, k.open("traffic"), []lvs.MarkRule{stays})
		end := stream(t, dest, 53)
		for range rounds() {
			want := append(randomRules(random), rule(t, "7 "+dest+" tcp 80"), stays)
			short := &cutShort{tables: &xtables{program: k.ipv4}, steps: random.IntN(12)}
			short6 := &cutShort{tables: &xtables{program: k.ipv6, ipv6: true}, steps: random.IntN(12)}
			open("traffic", short, short6).Sync(t.Context(), want)
		}
		f := k.open("traffic")
		mustSync(t, f, []lvs.MarkRule{stays})
		sent := end()
		seen := k.countedAll(t, match, sent)
		t.Logf("%s: %d packets sent, by mark %v", dest, sent, seen)
		if seen[0] > 0 || seen[8] != sent || sent == 0 {
			t.Errorf("%s: %d packets sent, by mark %v", dest, sent, seen)
		}
		half := f.families[0]
		if strings.Contains(dest, "::") {
			half = f.families[1]
		}
		table := testkit.Must(half.tables.list(t.Context(), false))(t)
		lines := linesOf([]lvs.MarkRule{stays}, half.ipv6)
		if now := readState(table, half.prefix); len(now.changes(lines)) > 0 {
			t.Errorf("left: %v", table)
		}
	}
}

// A process that exchanges rules forever is killed many times, each time at a random moment.
func killsUnderTraffic(t *testing.T, k *kernel) {
	if os.Getenv("IPVS_TESTS") != "" {
		t.Skip("the daemon's own test does it in the lab")
	}
	random := rand.New(rand.NewPCG(5, 5))
	const dest, match = "192.0.2.10", "-d 192.0.2.10"
	stays := []lvs.MarkRule{rule(t, "8 "+dest+" udp 53")}
	mustSync(t, k.open(exchanger), stays)
	k.count(t, match+" -p udp --dport 53", 0, 7, 8) // without the system's packets
	end := stream(t, dest, 53)
	amid := 0
	for range kills() {
		k.exchangeAndKill(t, random)
		f := k.open(exchanger)
		if table, err := f.families[0].tables.list(t.Context(), false); err != nil {
			t.Fatal(err)
		} else if len(readState(table, f.families[0].prefix).generations) > 1 {
			amid++
		}
		mustSync(t, f, stays)
		if left := sh(t, "%s -t mangle -S", k.ipv4); strings.Count(left, everyDaemon) != 3 {
			t.Fatalf("more than a chain, a jump and a rule:\n%s", left)
		}
	}
	sent := end()
	seen := k.countedAll(t, match, sent)
	t.Logf("%d kills, %d amid an exchange; %d packets sent, by mark %v", kills(), amid, sent, seen)
	if seen[0] > 0 || seen[8] != sent || sent == 0 {
		t.Errorf("%d packets sent, by mark %v", sent, seen)
	}
}

// exchangeAndKill starts a process that exchanges rules and kills it after a random time. Then it waits for the
// iptables that the process started last, which may still run.
func (k *kernel) exchangeAndKill(t *testing.T, random *rand.Rand) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), exchanges+"="+k.ipv4)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output := testkit.Must(cmd.StdoutPipe())(t)
	testkit.OK(t, cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	line := make([]byte, 64)
	if n, err := output.Read(line); err != nil {
		t.Fatalf("%v: %s", err, line[:n])
	}
	time.Sleep(time.Duration(random.Int64N(int64(killWithin))))
	cmd.Process.Kill()
	cmd.Wait()
	testkit.Until(t, patience, func() bool { return !running(t, cmd.Process.Pid) },
		"what the killed process ran runs")
}

// running reports whether a process of a group runs. A zombie does not count: there may be no parent that waits for
// it.
func running(t *testing.T, group int) bool {
	t.Helper()
	for _, file := range testkit.Files(t, "/proc/[0-9]*/stat") {
		text, _ := os.ReadFile(file) // proc(5): PID (NAME) STATE PARENT GROUP …
		after := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(after) > 2 && after[2] == strconv.Itoa(group) && !strings.Contains("ZX", after[0]) {
			return true
		}
	}
	return false
}

// exchange is the program of the process that gets killed.
func exchange(program string) {
	k := kernel{ipv4: program}
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	f := open(exchanger, &xtables{program: k.ipv4}, newFake())
	stays := lvs.MarkRule{Mark: 8, Packets: lvs.Packets{Dest: netip.MustParsePrefix("192.0.2.10/32"),
		Protocol: "udp",
		Ports:    []lvs.Ports{{First: 53, Last: 53}}}}
	fmt.Println("begins")
	for {
		others := lvs.MarkRule{Mark: 7, Packets: lvs.Packets{Dest: stays.Dest, Protocol: "tcp",
			Ports: []lvs.Ports{{First: uint16(random.IntN(9999)), Last: 9999}}}}
		if _, err := f.Sync(context.Background(), append(randomRules(random), others, stays)); err != nil {
			fmt.Println(err)
			return
		}
	}
}

func kills() int {
	if os.Getenv("LONG_TESTS") != "" {
		return 50
	}
	return 10
}

// killWithin is about the duration of two exchanges.
const killWithin = 100 * time.Millisecond

// rounds is smaller in the lab, where a run of iptables takes a tenth of a second.
func rounds() int {
	if os.Getenv("IPVS_TESTS") != "" {
		return 3
	}
	return 8
}

// cutShort does some steps and then no more, as if the daemon was killed.
type cutShort struct {
	tables
	steps int
}

func (c *cutShort) run(ctx context.Context, change command) error {
	if c.steps--; c.steps < 0 {
		return errKilled
	}
	return c.tables.run(ctx, change)
}

func realDamage(t *testing.T, k *kernel) {
	want := rules(t, "8 192.0.2.10 tcp 80,443", "9 192.0.2.10 udp 53")
	if os.Getenv("IPVS_TESTS") == "" {
		want = append(want, rules(t, "8 2001:db8::10 tcp 80,443", "9 2001:db8::10 udp 53")...)
	}
	f := k.open("damage")
	mustSync(t, f, want)
	for i, program := range []string{k.ipv4, k.ipv6}[:len(want)/2] {
		for _, c := range []struct{ do, report string }{
			{"-D CHAIN 1", "was missing in chain"},
			{"-F CHAIN", "was empty"},
			{"-I CHAIN 1 -j MARK --set-mark 77", "not ours"},
			{"-D PREROUTING -j CHAIN", "was gone"},
			{"-A PREROUTING -j CHAIN", "was there twice"},
			{"-I PREROUTING 1 -p tcp -m comment --comment \"mine first\" -j ACCEPT", "was before the jump"},
			{"-R PREROUTING 1 -i lo -j CHAIN", "had become"},
			{"-F", "was empty"},
		} {
			if c.do == "-R PREROUTING 1 -i lo -j CHAIN" {
				sh(t, "%s -t mangle -F PREROUTING", program)
				mustSync(t, f, want)
			}
			table := testkit.Must(f.families[i].tables.list(t.Context(), false))(t)
			chain := target(table[prerouting][0])
			sh(t, "%s -t mangle %s", program, strings.ReplaceAll(c.do, "CHAIN", chain))
			found := strings.Join(mustSync(t, f, want), "\n")
			if !strings.HasPrefix(found, f.families[i].name+": ") || !strings.Contains(found, c.report) {
				t.Errorf("%s %s: reported %q, want …%s…", program, c.do, found, c.report)
			}
			if found := mustSync(t, f, want); found != nil {
				t.Errorf("%s %s: not repaired: %q", program, c.do, found)
			}
		}
		left := sh(t, "%s -t mangle -S", program)
		testkit.Equal(t, strings.Count(left, everyDaemon), 4, "a chain, a jump and two rules", left)
	}
}

// A daemon without rules finds what an earlier one of its name left, and nothing else.
func leftovers(t *testing.T, k *kernel) {
	testkit.OK(t, trySync(t, k.open("crashed"), "8 192.0.2.10 tcp 80", "8 2001:db8::10 tcp 80"))
	testkit.OK(t, trySync(t, k.open("other"), "9 192.0.2.10 udp 53"))
	for _, program := range []string{k.ipv4, k.ipv6} {
		sh(t, "%s -t mangle -N %s7", program, chainPrefix("crashed"))
	}
	found := mustSync(t, k.open("crashed"), nil)
	testkit.Same(t, found, []string{"IPv4: chain " + chainPrefix("crashed") + "7 was left over, without a jump",
		"IPv6: chain " + chainPrefix("crashed") + "7 was left over, without a jump"}, "reported")
	left := sh(t, "%s -t mangle -S; %s -t mangle -S", k.ipv4, k.ipv6)
	if strings.Contains(left, chainPrefix("crashed")) || strings.Count(left, chainPrefix("other")) != 3 {
		t.Errorf("left:\n%s", left)
	}
}

func trySync(t *testing.T, f *Firewall, texts ...string) error {
	_, err := f.Sync(t.Context(), rules(t, texts...))
	return err
}

func inspectMachine(t *testing.T, k *kernel) {
	f := k.open("mine")
	testkit.OK(t, trySync(t, f, "8 192.0.2.10 tcp 80"))
	testkit.OK(t, trySync(t, k.open("other"), "9 2001:db8::10 tcp 80"))
	sh(t, `%[1]s -t mangle -N theirs; %[1]s -t mangle -N unused
		%[1]s -t mangle -A PREROUTING -i lo -j theirs
		%[1]s -t mangle -A theirs -p tcp -m comment --comment "two words" -j MARK --set-xmark 0x10/0xf0
		%[1]s -t mangle -A unused -j MARK --set-mark 5
		%[1]s -t mangle -A OUTPUT -j MARK --set-mark 6
		%[1]s -t mangle -A INPUT -j MARK --set-mark 4
		%[1]s -t raw -A PREROUTING -j MARK --set-mark 7`, k.ipv4)
	sh(t, "ip rule add fwmark 0x8/0xff table 100; ip -6 rule add fwmark 3 table 101")
	t.Cleanup(func() { sh(t, "ip rule del fwmark 0x8/0xff table 100; ip -6 rule del fwmark 3 table 101") })

	m := Inspect(t.Context())
	b := BackEnd(k.ipv4)
	want := []Setting{
		{b, false, "INPUT", "-j MARK --set-xmark 0x4/0xffffffff", 4, wholeMark, false, false, false, false},
		{b, false, chainPrefix("mine") + "1",
			"-d 192.0.2.10/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x8/0xffffffff",
			8, wholeMark, true, false, false, false},
		{b, false, "theirs", `-p tcp -m comment --comment "two words" -j MARK --set-xmark 0x10/0xf0`,
			0x10, 0xf0, false, false, false, false},
		{b, false, "PREROUTING of raw", "-j MARK --set-xmark 0x7/0xffffffff",
			7, wholeMark, false, false, false, false},
		{b, true, chainPrefix("other") + "1",
			"-d 2001:db8::10/128 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x9/0xffffffff",
			9, wholeMark, true, false, false, false},
	}
	testkit.Same(t, m.Settings, want, "settings")
	sent := []Setting{{b, false, "OUTPUT", "-j MARK --set-xmark 0x6/0xffffffff", 6, wholeMark, false, false, false,
		false}}
	testkit.Same(t, m.Outgoing, sent, "of packets that are sent")
	for _, s := range m.Settings {
		testkit.Equal(t, f.Owns(s), s.Mark == 8, s, "owned")
	}
	routing := []RoutingRule{{false, 32765, 8, 0xff, "100"}, {true, 32765, 3, wholeMark, "101"}}
	testkit.Same(t, m.Routing, routing, "routing")
	testkit.Equal(t, m.Other == b, m.BackEnd != b, "iptables is", m.BackEnd, "the rules are in", b)
	if b == Legacy {
		return // there the nft that can't be read is reported
	}
	if len(m.Unread) > 0 {
		t.Errorf("not read: %q", m.Unread)
	}
	native(t)
}

// native checks the marks that nft itself sets.
func native(t *testing.T) {
	if _, err := subprocess.Find("nft"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { sh(t, "nft delete table inet fw") })
	sh(t,
		`nft 'table inet fw { chain pre { type filter hook prerouting priority 0; ip daddr 192.0.2.1 meta `+
			`mark set 7; }; }'`)
	m := Inspect(t.Context())
	last := m.Settings[len(m.Settings)-1]
	if last.BackEnd != Native || last.Chain != "inet fw pre" || last.Mark != 7 {
		t.Errorf("%+v", m.Settings)
	}
}

func realErrors(t *testing.T, k *kernel) {
	x := &xtables{program: k.ipv4}
	r := lvs.MarkRule{Packets: lvs.Packets{Dest: netip.MustParsePrefix("192.0.2.1/32"), Protocol: "all"}, Mark: 8}
	err := x.run(t.Context(), command{option: appendRule, chain: "NOWHERE", rule: lineOf(r)})
	if err == nil ||
		!strings.HasPrefix(err.Error(), k.ipv4+" -t mangle -A NOWHERE -d 192.0.2.1/32 -j MARK --set-mark 8: ") {
		t.Errorf("error %v", err)
	}
}
