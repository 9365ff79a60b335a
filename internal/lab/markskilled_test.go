package lab

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// A client sends packets all the time, while the daemon is killed during reloads. The packets always have their mark,
// and the next start ends with exactly the rules of its file.
func TestKernelMarksOverKills(t *testing.T) { marksOverKills(t, 6) }

func TestKernelLongMarksOverKills(t *testing.T) {
	onlyLong(t)
	marksOverKills(t, 50)
}

func marksOverKills(t *testing.T, kills int) {
	l := newLabOf(t, 1)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	lines := markLines(random)
	l.markConfig(lines)
	l.does("start")
	l.wantExactly(lines)
	l.countMarks()
	sent := l.sendWithoutPause()

	exchange := l.exchangeTime(random)
	landed := map[string]int{}
	for range kills {
		lines = markLines(random)
		l.markConfig(lines)
		l.signal(syscall.SIGHUP)
		time.Sleep(time.Duration(random.Int64N(int64(exchange))))
		l.kill()
		awaitIPTables(t)
		landed[l.generations()]++
		if random.IntN(2) == 0 {
			lines = markLines(random)
			l.markConfig(lines)
		}
		l.does("start")
		l.wantExactly(lines)
	}
	n := sent()
	seen := l.countedMarks()
	t.Logf("%d packets sent; the director saw %d, %d with the mark, %d without; an exchange of rules takes %v; "+
		"when the daemon was killed there were %v",
		n, seen["all"], seen["marked"], seen["unmarked"], exchange.Round(time.Millisecond), landed)
	if seen["all"] == 0 || seen["marked"] != seen["all"] || seen["unmarked"] != 0 {
		t.Errorf("not every packet was marked: %v", seen)
	}
	if strings.Contains(l.logText(), "Mark rules can't be set") {
		t.Errorf("the daemon logs an error:\n%s", l.logText())
	}
	l.does("stop")
	l.wantMarks("no LDIRECTORD")
}

// awaitIPTables waits until no iptables runs. A run may outlive the daemon that started it, and change rules that the
// next daemon has set.
func awaitIPTables(t *testing.T) {
	t.Helper()
	testkit.Until(t, 2*ofIPTables, func() bool {
		return !slices.ContainsFunc(testkit.Files(t, "/proc/[0-9]*/comm"), func(file string) bool {
			name, _ := os.ReadFile(file) // the process may have ended
			return strings.HasPrefix(string(name), "iptables") ||
				strings.HasPrefix(string(name), "ip6tables")
		})
	}, "a run of iptables has no end")
}

// ofIPTables is how long an exchange of rules may take on the lab's kernel: ten runs of iptables on a busy machine,
// each of up to a second.
const ofIPTables = 15 * time.Second

// markLine is a `mark` line of the file, and the rule that iptables shows for it.
type markLine struct {
	mark    int
	packets string // without the address
	match   string
}

// markLines are the line for the client's packets, which always stays, and some others around it.
func markLines(random *rand.Rand) []markLine {
	others := []markLine{
		{3, "tcp 80,443", "-p tcp -m multiport --dports 80,443"},
		{3, "udp 5060,10000:20000", "-p udp -m multiport --dports 5060,10000:20000"},
		{3, "tcp 21", "-p tcp -m tcp --dport 21"},
		{4, "tcp 25", "-p tcp -m tcp --dport 25"},
		{4, "udp 67:68", "-p udp -m udp --dport 67:68"},
	}
	random.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	lines := append(others[:random.IntN(4)], markLine{3, "udp 53", "-p udp -m udp --dport 53"})
	random.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	slices.SortStableFunc(lines, func(a, b markLine) int { return a.mark - b.mark }) // in the order of the file
	return lines
}

func (l *lab) markConfig(lines []markLine) string {
	text := "checkinterval = 1\n"
	for _, mark := range []int{3, 4} {
		section := ""
		for _, line := range lines {
			if line.mark == mark {
				section += fmt.Sprintf("\tmark = %s %s\n", natVIP, line.packets)
			}
		}
		if section != "" {
			text += fmt.Sprintf("virtual = %d\n\tprotocol = fwm\n%s\treal = 192.0.2.21:53 masq\n"+
				"\tchecktype = on\n", mark, section)
		}
	}
	return l.config(text)
}

// countMarks adds rules that count the client's packets, after the rules of the daemon.
func (l *lab) countMarks() {
	for _, match := range []string{"", "-m mark --mark 3", "-m mark --mark 0"} {
		l.sh("ip netns exec %sdir iptables -t mangle -A PREROUTING -d %s -p udp --dport 53 %s", l.prefix,
			natVIP, match)
	}
}

func (l *lab) countedMarks() map[string]int {
	l.t.Helper()
	out := testkit.Must(exec.Command("ip", "netns", "exec", l.prefix+"dir", "iptables", "-t", "mangle", "-v", "-S",
		"PREROUTING").Output())(l.t)
	seen := map[string]int{}
	for _, found := range regexp.MustCompile(`--dport 53( -m mark --mark 0x[03])? -c (\d+)`).FindAllStringSubmatch(
		string(out), -1) {
		name := map[string]string{"": "all", " -m mark --mark 0x3": "marked",
			" -m mark --mark 0x0": "unmarked"}[found[1]]
		seen[name] = testkit.Must(strconv.Atoi(found[2]))(l.t)
	}
	return seen
}

// sendWithoutPause makes the client send packets until the returned function is called, which returns their number.
func (l *lab) sendWithoutPause() func() int {
	l.t.Helper()
	conn := madeIn(l, "client", func() (net.Conn, error) { return net.Dial("udp4", natVIP+":53") })
	stop, sent := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond) // the lab has only one CPU
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-stop:
				sent <- n
				return
			case <-tick.C:
			}
			if _, err := conn.Write([]byte("x")); err == nil {
				n++
			}
		}
	}()
	return func() int {
		close(stop)
		defer conn.Close()
		return <-sent
	}
}

// exchangeTime is the time until a reload with other rules is complete: the shorter one of two.
func (l *lab) exchangeTime(random *rand.Rand) time.Duration {
	l.t.Helper()
	least := time.Minute
	for i := range 2 {
		port := strconv.Itoa(1000 + i)
		lines := append(markLines(random), markLine{4, "tcp " + port, "-p tcp -m tcp --dport " + port})
		l.markConfig(lines)
		start := time.Now()
		l.signal(syscall.SIGHUP)
		for l.notExactly(lines) != "" {
			if time.Since(start) > ofIPTables {
				l.wantExactly(lines)
			}
		}
		least = min(least, time.Since(start))
	}
	return least
}

// generations are the numbers of the daemon's chains and jumps.
func (l *lab) generations() string {
	table := l.marks()
	return fmt.Sprintf("%d chains, %d jumps", strings.Count(table, "-N LDIRECTORD-"),
		strings.Count(table, "-j LDIRECTORD-"))
}

func (l *lab) wantExactly(lines []markLine) {
	l.t.Helper()
	if wrong := l.notExactly(lines); wrong != "" {
		l.t.Fatalf("%s\nlog:\n%s", wrong, l.logText())
	}
}

// notExactly returns what is wrong with the rules. There must be one chain, one jump before all other rules, and the
// rules in their order.
func (l *lab) notExactly(lines []markLine) string {
	table := l.marks()
	found := regexp.MustCompile(`-N (LDIRECTORD-\S+)`).FindAllStringSubmatch(table, -1)
	if len(found) != 1 {
		return fmt.Sprintf("%d chains of the program:\n%s", len(found), table)
	}
	want := []string{"-A PREROUTING -j " + found[0][1]}
	for _, line := range lines {
		want = append(want, fmt.Sprintf("-A %s -d %s/32 %s -j MARK --set-xmark %#x/0xffffffff", found[0][1],
			natVIP, line.match, line.mark))
	}
	var got []string
	for _, rule := range strings.Split(table, "\n") {
		if len(got) == 0 && strings.HasPrefix(rule, "-A PREROUTING") || strings.HasPrefix(rule, "-A") &&
			strings.Contains(rule, "LDIRECTORD-") {
			got = append(got, rule)
		}
	}
	if !slices.Equal(got, want) {
		return fmt.Sprintf("rules\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return ""
}
