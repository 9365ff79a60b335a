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

// Every known form in which iptables prints a rule is recognised. A rule of others is not taken for ours.
func TestPrintedRulesAreRecognised(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/fwmark/printed.txt", 2) {
		want := row[0]
		if row[1] != "" {
			r := rule(t, row[1])
			want = linesOf([]lvs.MarkRule{r}, r.Dest.Addr().Is6())[0]
		}
		testkit.Equal(t, normal(row[0]), want, row)
	}
}

func TestWordsHeedQuotes(t *testing.T) {
	got := words(`-m comment --comment "hello \"w\" \\ x" -j  MARK "" `)
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
