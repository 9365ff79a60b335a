package fwmark

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

const daemon = "/etc/ha.d/ldirectord.cf"

// firewall has its IPv4 rules in f, and IPv6 rules in tables of its own.
func firewall(f *fakeTables) *Firewall { return open(daemon, f, newFake()) }

func mustSync(t testing.TB, f *Firewall, want []lvs.MarkRule) []string {
	t.Helper()
	return testkit.Must(f.Sync(t.Context(), want))(t)
}

func TestSyncSetsChangesAndRemoves(t *testing.T) {
	table := newFake()
	table.chains[prerouting] = []string{"-i eth1 -j DROP"}
	f := firewall(table)
	for _, want := range [][]lvs.MarkRule{
		nil,
		rules(t, "8 192.0.2.10 tcp 80,443"),
		rules(t, "8 192.0.2.10 tcp 80,443", "9 192.0.2.11 udp 53"),
		rules(t, "9 192.0.2.11 udp 53", "8 192.0.2.10 tcp 80,443"),
		rules(t, "10 192.0.2.10 tcp 443,80"),
		nil,
	} {
		for range 2 { // the second time there is no change to make
			if found := mustSync(t, f, want); len(found) > 0 {
				t.Errorf("reports its own work: %q", found)
			}
			table.mustHave(t, daemon, want)
		}
	}
	if want := (listing{prerouting: {"-i eth1 -j DROP"}, "OUTPUT": {}}); fmt.Sprint(table.chains) != fmt.Sprint(
		want) {
		t.Errorf("left: %v", table.chains)
	}
}

// A Sync without a change lists the rules once. If there are no rules and the last Sync left none, it lists nothing.
func TestSyncCostsOneListing(t *testing.T) {
	table := newFake()
	f := firewall(table)
	cost := func(want []lvs.MarkRule) (lists, steps int) {
		lists, steps = table.lists, table.steps
		mustSync(t, f, want)
		return table.lists - lists, table.steps - steps
	}
	some := rules(t, "8 192.0.2.10 tcp 80")
	for i, c := range []struct {
		want         []lvs.MarkRule
		lists, steps int
	}{{nil, 1, 0}, {nil, 0, 0}, {some, 2, 3}, {some, 1, 0}, {nil, 2, 3}, {nil, 0, 0}} {
		if lists, steps := cost(c.want); lists != c.lists || steps != c.steps {
			t.Errorf("round %d: %d listings and %d steps, want %d and %d", i+1, lists, steps, c.lists,
				c.steps)
		}
	}
}

// When two rules match a packet, the later one sets its mark.
func TestOrderOfRulesIsKept(t *testing.T) {
	table := newFake()
	mustSync(t, firewall(table), rules(t, "1 192.0.2.0/24 all all", "2 192.0.2.10 tcp 80"))
	testkit.Equal(t, table.mark(packet{netip.MustParseAddr("192.0.2.10"), "tcp", 80}), 2, "mark")
}

func TestFamiliesAreApart(t *testing.T) {
	ipv4, ipv6 := newFake(), newFake()
	f := open(daemon, ipv4, ipv6)
	ipv4.refuse = "sctp"
	_, err := f.Sync(t.Context(), rules(t, "8 192.0.2.10 sctp 80", "8 2001:db8::10 tcp 80"))
	testkit.FailsWith(t, err, "IPv4 mark rules: ")
	ipv4.mustHave(t, daemon, nil)
	testkit.Equal(t, ipv6.mark(packet{netip.MustParseAddr("2001:db8::10"), "tcp", 80}), 8, "IPv6 has mark",
		"although only IPv4 failed")
}

// A lock that others hold does not keep the rules of the other family waiting. Remains are removed when it is free.
func TestAFamilyWithoutRulesThatIsLocked(t *testing.T) {
	ipv4, ipv6 := newFake(), newFake()
	mustSync(t, firewall(ipv6), rules(t, "8 192.0.2.10 tcp 80"))
	table := &locked{ipv6, true}
	f, want := open(daemon, ipv4, table), rules(t, "8 192.0.2.10 tcp 80")
	testkit.FailsWith(t, testkit.Error(f.Sync(t.Context(), nil)), "IPv6 mark rules: ")
	mustSync(t, f, want)
	ipv4.mustHave(t, daemon, want)
	table.is = false
	mustSync(t, f, want)
	ipv6.mustHave(t, daemon, nil)
}

// locked can't be read while it is.
type locked struct {
	*fakeTables
	is bool
}

func (l *locked) list(ctx context.Context, idle bool) (listing, error) {
	if l.is {
		return nil, errors.New("another app is currently holding the xtables lock")
	}
	return l.fakeTables.list(ctx, idle)
}

func TestRefusedRulesChangeNothing(t *testing.T) {
	table := newFake()
	f := firewall(table)
	before := rules(t, "8 192.0.2.10 tcp 80")
	mustSync(t, f, before)
	table.refuse = "multiport"
	if _, err := f.Sync(t.Context(), rules(t, "9 192.0.2.10 udp 53", "8 192.0.2.10 tcp 80,443")); err == nil {
		t.Error("no error for a rule that the kernel refuses")
	}
	table.mustHave(t, daemon, before)
	table.refuse = ""
	mustSync(t, f, before)
	table.mustHave(t, daemon, before)
}

func TestDaemonsOfOtherNamesAreLeftAlone(t *testing.T) {
	table := newFake()
	one, two := open("one", table, newFake()), open("two", table, newFake())
	first, second := rules(t, "1 192.0.2.1 tcp 80"), rules(t, "2 192.0.2.2 tcp 80")
	for range 3 {
		if found := slices.Concat(mustSync(t, one, first), mustSync(t, two, second)); len(found) > 0 {
			t.Fatalf("they disturb each other: %q", found)
		}
	}
	steps := table.steps
	mustSync(t, one, first)
	mustSync(t, two, second)
	testkit.Equal(t, table.steps, steps, "they don't fight for the first place")
	mustSync(t, one, nil)
	table.mustHave(t, "two", second)
}

// Changes that others made to our chain are reported, and repaired by the next Sync.
func TestDamageIsReportedAndRepaired(t *testing.T) {
	want := rules(t, "8 192.0.2.10 tcp 80,443", "9 192.0.2.11 udp 53")
	first, second := "-d 192.0.2.10/32 -p tcp -m multiport --dports 80,443 -j MARK --set-mark 8",
		"-d 192.0.2.11/32 -p udp --dport 53 -j MARK --set-mark 9"
	printedAs := strings.NewReplacer("CHAIN", chainPrefix(daemon), "FIRST", printed(first),
		"SECOND", printed(second), "; ", "\n")
	written := strings.NewReplacer("CHAIN", chainPrefix(daemon), "FIRST", first, "SECOND", second)
	testkit.Rows(t, "../../testdata/fwmark/damage.txt", 3, func(t *testing.T, row []string) {
		table := newFake()
		f := firewall(table)
		mustSync(t, f, want)
		table.chains = parseListing("-P PREROUTING ACCEPT\n-P OUTPUT ACCEPT\n" +
			printedAs.Replace(row[1]))
		testkit.Same(t, mustSync(t, f, want), cellLines(written.Replace(row[2])), "reported")
		table.mustHave(t, daemon, want)
		if found := mustSync(t, f, want); found != nil {
			t.Errorf("reported again: %q", found)
		}
	})
}

// cellLines are the lines of a cell.
func cellLines(cell string) []string {
	if cell == "" {
		return nil
	}
	return strings.Split(cell, "; ")
}

// A foreign rule that jumps to our chain is left as it is. The chain stays for it, but empty, and the error names the
// reason.
func TestForeignUseOfOurChainIsAnError(t *testing.T) {
	table := newFake()
	f := firewall(table)
	mustSync(t, f, rules(t, "8 192.0.2.10 tcp 80"))
	table.chains["OUTPUT"] = []string{"-j " + chainPrefix(daemon) + "1"}
	want := rules(t, "8 192.0.2.10 tcp 443")
	_, err := f.Sync(t.Context(), want)
	testkit.FailsWith(t, err, "a rule in chain OUTPUT jumps to it")
	testkit.Equal(t, table.mark(packet{netip.MustParseAddr("192.0.2.10"), "tcp", 443}), 8, "by the wanted rules")
	table.chains["OUTPUT"] = nil
	mustSync(t, f, want)
	table.mustHave(t, daemon, want)
}

// A change from any rules to any others is killed at every step. A packet that is marked before and after is never
// unmarked, its mark changes at most once, and the next Sync sets the right rules, whatever they are.
func TestKilledAtEveryStep(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 1))
	for range 30 {
		from, to, then := randomRules(random), randomRules(random), randomRules(random)
		for kill := 1; ; kill++ {
			table := newFake()
			table.chains[prerouting] = []string{"-i eth1 -j DROP"}
			mustSync(t, firewall(table), from)
			table.steps, table.killAt = 0, kill
			check := watch(t, table, to)
			_, err := firewall(table).Sync(t.Context(), to)
			check()
			table.killAt = 0
			if kill%2 == 0 { // half of the time the next run sets other rules
				then = to
			}
			check = watch(t, table, then)
			mustSync(t, firewall(table), then)
			check()
			table.mustHave(t, daemon, then)
			if err == nil {
				break // the change finished before it was killed
			}
			if !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
		}
	}
}

// watch checks the mark of every packet after every step, until the returned function is called.
func watch(t *testing.T, table *fakeTables, want []lvs.MarkRule) func() {
	before := map[packet]uint32{}
	for _, p := range packets() {
		before[p] = table.mark(p)
	}
	changed := map[packet]bool{}
	table.watcher = func(step string) {
		for p, old := range before {
			now, wanted := table.mark(p), markWanted(want, p)
			switch {
			case old != 0 && wanted != 0 && now == 0:
				t.Fatalf("after %s: %v lost its mark %d, wanted %d\n%v", step, p, old, wanted,
					table.chains)
			case now != old && now != wanted:
				t.Fatalf("after %s: %v has mark %d, neither %d nor %d\n%v", step, p, now, old, wanted,
					table.chains)
			case changed[p] && now != wanted:
				t.Fatalf("after %s: %v went back to mark %d from %d\n%v", step, p, now, wanted,
					table.chains)
			case wanted != 0 && now != wanted && strings.HasPrefix(step, "-I "+prerouting):
				t.Fatalf("after %s: %v has mark %d, not yet %d\n%v", step, p, now, wanted, table.chains)
			}
			changed[p] = changed[p] || now != old
		}
	}
	return func() { table.watcher = nil }
}

var (
	someDests = []string{"192.0.2.10/32", "192.0.2.11/32", "192.0.2.0/24", "0.0.0.0/0"}
	somePorts = []uint16{53, 80, 443, 8080}
)

func packets() []packet {
	var all []packet
	for _, dest := range []string{"192.0.2.10", "192.0.2.11", "192.0.2.12", "198.51.100.1"} {
		for _, protocol := range []string{"tcp", "udp", "sctp"} {
			for _, port := range somePorts {
				all = append(all, packet{netip.MustParseAddr(dest), protocol, port})
			}
		}
	}
	return all
}

func randomRules(random *rand.Rand) []lvs.MarkRule {
	all := make([]lvs.MarkRule, random.IntN(4))
	for i := range all {
		r := lvs.MarkRule{
			Mark: 1 + random.Uint32N(3),
			Packets: lvs.Packets{
				Dest:     netip.MustParsePrefix(someDests[random.IntN(len(someDests))]),
				Protocol: []string{"tcp", "udp", "sctp", "all"}[random.IntN(4)],
			},
		}
		if r.Protocol != "all" {
			for range random.IntN(4) {
				first := somePorts[random.IntN(len(somePorts))]
				r.Ports = append(r.Ports,
					lvs.Ports{First: first, Last: first + uint16(random.IntN(2)*400)})
			}
		}
		all[i] = r
	}
	return all
}

// One daemon changes many times between random rules, which are damaged in between.
func TestRandomRulesAndDamage(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 2))
	table := newFake()
	f := firewall(table)
	var before []lvs.MarkRule
	for range 500 {
		want := randomRules(random)
		hurt := random.IntN(2) == 0 && len(before) > 0
		if hurt {
			damageAtRandom(random, table.chains)
		}
		found := mustSync(t, f, want)
		if !hurt && found != nil {
			t.Fatalf("reports its own work: %q", found)
		}
		table.mustHave(t, daemon, want)
		before = want
	}
}

func damageAtRandom(random *rand.Rand, chains listing) {
	names := slices.Sorted(maps.Keys(chains))
	chain := names[random.IntN(len(names))]
	switch rules := chains[chain]; {
	case len(rules) > 0 && random.IntN(2) == 0:
		i := random.IntN(len(rules))
		chains[chain] = slices.Delete(rules, i, i+1)
	case strings.HasPrefix(chain, everyDaemon):
		chains[chain] = append(rules, "-j MARK --set-xmark 0x63/0xffffffff")
	case chain == prerouting:
		chains[chain] = slices.Insert(rules, 0, "-i eth1 -j DROP")
	}
}

// A change that exceeds its time is undone, also by a program that was ended after it had made a chain or a rule. No
// rules are listed after that time.
func TestAChangeThatIsEndedLeavesNothing(t *testing.T) {
	for _, last := range []string{newChain, appendRule} {
		table := newFake()
		ctx, cancel := context.WithCancel(t.Context())
		f := open(daemon, late{table, last, cancel}, newFake())
		want := rules(t, "8 192.0.2.10 tcp 80", "8 192.0.2.10 tcp 443")
		testkit.Is(t, testkit.Error(f.Sync(ctx, want)), context.Canceled, last)
		if !maps.EqualFunc(table.chains, newFake().chains, slices.Equal) {
			t.Errorf("left after %s: %s", last, table.chains)
		}
		testkit.Is(t, testkit.Error(f.Sync(ctx, nil)), context.Canceled, "listing after", last)
	}
}

// late is ended right after it has made a change of one kind.
type late struct {
	*fakeTables
	last string
	end  func()
}

func (l late) run(ctx context.Context, c command) error {
	if err := l.fakeTables.run(ctx, c); err != nil || c.option != l.last {
		return err
	}
	l.end()
	return ctx.Err()
}
