package fwmark

import (
	"math/rand/v2"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

func TestLinesOfRules(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/fwmark/lines.txt", 2) {
		r := rule(t, row[0])
		got := linesOf([]lvs.MarkRule{r, r}, r.Dest.Addr().Is6())
		testkit.Same(t, got, cellLines(row[1]), row[0])
		if other := linesOf([]lvs.MarkRule{r}, !r.Dest.Addr().Is6()); other != nil {
			t.Errorf("%s: in the other family too: %q", row[0], other)
		}
	}
}

func TestLaterOfTwoEqualRulesStays(t *testing.T) {
	lines := linesOf(rules(t, "1 192.0.2.10 tcp 80", "2 192.0.2.0/24 tcp 80", "1 192.0.2.10 tcp 80"), false)
	want := []string{"-d 192.0.2.0/24 -p tcp --dport 80 -j MARK --set-mark 2",
		"-d 192.0.2.10/32 -p tcp --dport 80 -j MARK --set-mark 1"}
	testkit.Same(t, lines, want)
}

// Every known form in which iptables prints a rule is recognised.
func TestPrintedRulesAreRecognised(t *testing.T) {
	for printed, want := range map[string]string{
		"-d 192.0.2.10/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark " +
			"0x8/0xffffffff": "8 192.0.2.10 tcp 80",
		"-d 192.0.2.10/32 -p 6 -m tcp --dport 80 -j MARK --set-xmark " +
			"0x8/0xffffffff": "8 192.0.2.10 tcp 80",
		"-d 192.0.2.10 -p tcp -m tcp --dport 80 -j MARK --set-mark " +
			"0x8": "8 192.0.2.10 tcp 80",
		"-d 192.0.2.10/32 -p tcp -m multiport --dports 443,80,1000:2000 -j MARK --set-xmark " +
			"0x8/0xffffffff": "8 192.0.2.10 tcp 80,443,1000:2000",
		"-d 192.0.2.10/32 -p sctp -m sctp --dport 5060:5070 -j MARK --set-xmark " +
			"0x8/0xffffffff": "8 192.0.2.10 sctp 5060:5070",
		"-d 192.0.2.10/32 -p tcp -m tcp -j MARK --set-xmark " +
			"0x8/0xffffffff": "8 192.0.2.10 tcp all",
		"-d 192.0.2.10/32 -j MARK --set-xmark 0xffffffff/0xffffffff": "4294967295 192.0.2.10 all all",
		"-j MARK --set-xmark 0xffffffff/0xffffffff":                  "4294967295 0.0.0.0/0 all all",
		"-d 2001:db8::10/128 -p udp -m udp --dport 10000:20000 -j MARK --set-xmark " +
			"0x8/0xffffffff": "8 2001:db8::10 udp 10000:20000",
		"-d 2001:db8::10/128 -p udp -m multiport --dports 5060,10000:20000 -j MARK --set-xmark " +
			"8/0xffffffff ": "8 2001:db8::10 udp 5060,10000:20000",
	} {
		r := rule(t, want)
		if lines := linesOf([]lvs.MarkRule{r}, r.Dest.Addr().Is6()); normal(printed) != lines[0] {
			t.Errorf("%s\nis %s\nwant %s", printed, normal(printed), lines[0])
		}
	}
}

// A rule with anything more or less than ours is not taken for ours.
func TestForeignRulesAreNotTakenForOurs(t *testing.T) {
	for _, foreign := range []string{
		"",
		"-j MARK",
		"-d 192.0.2.10/32 -j ACCEPT",
		"! -d 192.0.2.10/32 -j MARK --set-xmark 0x8/0xffffffff",
		"-d 192.0.2.10/32 -i eth0 -j MARK --set-xmark 0x8/0xffffffff",
		"-d 192.0.2.10/32 -j MARK --set-xmark 0x8/0xff",
		"-d 192.0.2.10/32 -j MARK --set-xmark 0x8/0xffffffff extra",
		"-d 192.0.2.10/32 -p tcp -m tcp ! --dport 80 -j MARK --set-xmark 0x8/0xffffffff",
		"-d 192.0.2.10/32 -p tcp -m tcp --sport 80 -j MARK --set-xmark 0x8/0xffffffff",
		`-d 192.0.2.10/32 -m comment --comment "-p tcp" -j MARK --set-xmark 0x8/0xffffffff`,
		"-d 192.0.2.10/32 -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
	} {
		testkit.Equal(t, normal(foreign), foreign, "a rule of others")
	}
}

func TestWordsHeedQuotes(t *testing.T) {
	got := words(`-m comment --comment "hello \"w\" \\ x" -j  MARK ""`)
	want := []string{"-m", "comment", "--comment", `hello "w" \ x`, "-j", "MARK", ""}
	testkit.Same(t, got, want)
}

// Each random rule is recognised when it is printed.
func TestRandomRulesAreRecognised(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 3))
	for range 2000 {
		for _, l := range linesOf(randomRules(random), false) {
			if got := normal(printed(l)); got != l {
				t.Fatalf("%s\nprinted %s\nread as %s", l, printed(l), got)
			}
		}
	}
}

func FuzzNormal(f *testing.F) {
	f.Add("-d 192.0.2.10/32 -p tcp -m multiport --dports 80,443 -j MARK --set-xmark 0x8/0xffffffff")
	f.Add(`-m comment --comment "a \" b" -j MARK --set-mark 1`)
	f.Add("-p sctp --dport 1:65535 -j MARK --set-mark 0x1")
	f.Fuzz(func(t *testing.T, text string) {
		once := normal(text)
		testkit.Equal(t, normal(once), once, text, "once more")
		markOf(text)
	})
}
