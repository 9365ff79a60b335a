package orders

import (
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
	"ldirectord/internal/testkit"
)

func TestAnOrderInWords(t *testing.T) {
	ended := exec.Command("true")
	testkit.OK(t, ended.Run())
	until := time.Date(2026, 11, 21, 18, 0, 0, 0, time.Local).UTC()
	plain := []string{"", "drain", "obey", "withdraw"} // no remark
	for want, o := range map[string]Order{
		"": {}, "drain": {Kind: Drain}, "obey": {Kind: Obey}, "withdraw": {Kind: Withdraw},
		"weight 20": {Kind: Weigh, Weight: 20},
		"maint until 2026-11-21 18:00:00 by kim: new disk": {Kind: Maint, By: "kim", Why: "new disk",
			Until: until},
		"drain from 2026-11-21 18:00:00: slow": {Kind: Drain, From: until, Why: "slow"},
		"drain until 2026-11-21 18:00:00":      {Kind: Drain, Until: until},
		"drain: slow":                          {Kind: Drain, Why: "slow"},
		"drain: roll":                          {Kind: Drain, Why: ByRoll, Roll: os.Getpid()},
		"drain: a roll that ended":             {Kind: Drain, Why: ByRoll, Roll: ended.Process.Pid},
	} {
		testkit.Equal(t, o.String(), want)
		remark := "; " + want
		if slices.Contains(plain, want) {
			remark = ""
		}
		testkit.Equal(t, o.Remark("; "), remark, "the remark")
	}
}

// An address is withdrawn by its own order, or by that for every address.
func TestTheOrderThatWithdrawsAnAddress(t *testing.T) {
	withdraw := Order{Kind: Withdraw}
	for at, want := range map[string]Order{"10.1.0.1": withdraw, EveryAddress: withdraw, "10.1.0.2": {}} {
		got := All{{Virtual: at}: withdraw}.Withdrawal(netip.MustParseAddr("10.1.0.1"))
		testkit.Equal(t, got, want, at)
	}
}

func TestOrdersThatAnOperatorMeans(t *testing.T) {
	all := All{lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80"): {}, lvs.At("fwm:3", "10.2.0.1:80"): {},
		lvs.At("fwm:3", "10.2.0.11:80"): {}, lvs.At("fwm:3", ""): {}}
	for _, row := range testkit.Table(t, "testdata/meant.txt", 3) {
		var got []lvs.Backend
		for _, at := range all.Sorted() {
			if at.IsMeant(row[0], row[1]) {
				got = append(got, at)
			}
		}
		testkit.Equal(t, strconv.Itoa(len(got)), row[2], row, got)
	}
}

// Unless the clock is set, an order ends at the second that it names.
func TestAnEndStaysWhereNobodySetsTheClock(t *testing.T) {
	until := time.Now().Add(time.Hour)
	o := Order{Kind: Drain, Until: until, Ends: runfile.SinceBoot() + time.Hour + time.Second}
	if !o.End().Equal(until) || o.IsOver(time.Now()) {
		t.Errorf("%v, not %v", o.End(), until)
	}
}

// An order that waits is not in force, is due at its time, and is kept in a form that programs without From ignore.
func TestAnOrderThatWaits(t *testing.T) {
	now := second(time.Now())
	a, b := lvs.At("fwm:3", "a:1"), lvs.At("fwm:3", "b:1")
	all := All{a: {Kind: Drain, From: now.Add(time.Hour)}, b: {Kind: Maint}}
	testkit.Same(t, all.InForce(), All{b: {Kind: Maint}})
	testkit.Same(t, all.Due(now.Add(time.Hour-time.Second)), All{})
	testkit.Same(t, all.Due(now.Add(time.Hour)), All{a: {Kind: Drain}})
	later := All{a: {Kind: Drain, From: now, Since: now}, b: {Kind: Maint, Since: now.Add(time.Second)}}
	testkit.Equal(t, later.Apart(now), now.Add(time.Second), "another command within the same second")
	testkit.Equal(t, later.Apart(now.Add(time.Second)), now.Add(time.Second), "one in force waits no more")
	// the clock was set back, so that by the time since boot the order ends before it begins
	o := Order{From: now.Add(3 * time.Hour), Until: now.Add(4 * time.Hour), Ends: runfile.SinceBoot() + time.Minute}
	testkit.Equal(t, o.End(), o.Until, "the wall clock decides while it waits")
	begun := All{a: o}.Due(o.From)[a].Ends - runfile.SinceBoot()
	testkit.Equal(t, begun.Round(time.Minute), time.Hour, "counted when it begins")
	file := File(t.TempDir() + "/drain")
	testkit.OK(t, file.Write(all))
	testkit.Same(t, testkit.Must(file.Current())(t), all)
	for line := range strings.Lines(testkit.Read(t, string(file))) {
		if strings.Contains(line, "a:1") && !strings.HasPrefix(line, "# later {") {
			t.Error(line)
		}
	}
}
