package judge

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// addressed is an address that is announced, with a last resort, and one virtual service, which serves.
func addressed() (Address, []Host) {
	c := inService(1, 1)
	c.Strength = Strength{Up: 2, Needed: 1, Enough: true, Known: true, Serves: true}
	a := Address{Device: "lvs0", Last: "lvs1", Known: true, At: "lvs0", Decided: true,
		Want: lvs.Wanted{Addr: netip.MustParseAddr("192.0.2.10")}}
	return a, []Host{{Case: &c, Label: "web", Placed: true, Marked: true, Known: true, Servers: 2}}
}

// placing is an address, its virtual services, and what decides about all addresses.
type placing struct {
	*Address
	*Addressing
	H []Host
}

// Where an address belongs, why, whose it is, whether its packets are served, and when that is decided again.
func TestWhereAnAddressBelongs(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/address.txt", 6) {
		a, hosts := addressed()
		all := Addressing{Withdraw: 3 * time.Second}
		for clause := range strings.SplitSeq(row[2], ", ") {
			switch clause {
			case "fails":
				clause = "h.strength.up=0 h.strength.needed=1 not h.strength.enough" +
					" not h.strength.serves"
			case "weak":
				clause = "h.strength.up=1 h.strength.needed=2 not h.strength.enough"
			case "two": // of what follows is the second virtual service
				_, second := addressed()
				hosts = append(second, hosts...)
			}
			if clause != "two" {
				fill(&placing{&a, &all, hosts}, clause)
			}
		}
		again, in := a.Place(hosts, row[1], all, noon), ""
		if !again.IsZero() {
			in = again.Sub(noon).String()
		}
		place := placeOf(a.Want) + word(a.Owner != "", " of "+a.Owner) +
			word(!a.IsOrdered(), " without an order")
		testkit.Same(t, []string{place, a.Why, in}, row[3:], row[0])
	}
}

// What is not decided is not changed: the order says only whether the address needs its local route for checks.
func TestTheOrderOfAnAddress(t *testing.T) {
	for given, want := range map[string]string{
		"":                     "lvs0 served",
		"want.undecided":       "nowhere undecided",
		"want.undecided asked": "nowhere served undecided",
	} {
		a := Address{Want: lvs.Wanted{Device: "lvs0", Local: true}}
		fill(&a, given)
		testkit.Equal(t, placeOf(a.Ordered()), want, given)
	}
	taken := Address{Owner: "www.cf", Known: true, Want: lvs.Wanted{Local: true}}
	testkit.Equal(t, taken.IsOrdered(), true, "packets are served: something is ordered")
}

func placeOf(w lvs.Wanted) string {
	text := w.Device
	if text == "" {
		text = "nowhere"
	}
	if w.Local {
		text += " served"
	}
	if w.Undecided {
		text += " undecided"
	}
	return text
}

func TestHowLongAWithdrawnAddressIsServed(t *testing.T) {
	a, hosts := addressed()
	all := Addressing{Withdraw: 3 * time.Second}
	a.Place(hosts, "", all, noon)
	for _, row := range testkit.Table(t, "../../testdata/judge/withdrawn.txt", 3) {
		now := noon.Add(after(row[0]))
		a.Found(row[1], true, now)
		a.Place(nil, "", all, now)
		lingers, gone := a.Lingers(false, all, now), a.IsGone(all, now)
		got := placeOf(a.Want) + word(lingers, ", lingers") + word(gone, ", gone")
		testkit.Equal(t, got, row[2], "after", row[0], "on", row[1])
	}
	testkit.Equal(t, a.Lingers(true, all, noon.Add(3*time.Second)), true, "lingers during an order")
}

// In each state of an address with two virtual services: it is wanted on the device of announce only while one of them
// is served here and nothing withdraws it, on the last resort only while packets are served, and elsewhere never. A
// decision that is made again without an event is the same.
func TestAnAddressIsNeverWantedWhereNothingServes(t *testing.T) {
	reached := map[string]bool{}
	bits := func(n *int, of int) (k int) { k = *n % of; *n /= of; return k }
	for code := range 6 * 6 * 4 * 3 * 2 * 2 * 3 * 4 {
		rest := code
		a, hosts := addressed()
		_, second := addressed()
		hosts = append(hosts, second...)
		for i := range hosts {
			h := &hosts[i]
			h.Label = fmt.Sprint("service ", i)
			switch bits(&rest, 6) {
			case 0: // it serves
			case 1:
				h.Strength = Strength{Up: 0, Needed: 1, Known: true}
			case 2:
				h.Strength = Strength{Up: 1, Needed: 2, Known: true, Serves: true}
			case 3:
				h.Strength.Known = false
			case 4:
				h.Placed = false
			case 5:
				h.Owner = "www.cf"
			}
		}
		switch bits(&rest, 4) {
		case 1:
			hosts[0].Marked = false
		case 2:
			hosts[0].Marked, hosts[0].Known = false, false
		case 3:
			hosts[1].Back = noon
		}
		a.At = []string{"lvs0", "lvs1", ""}[bits(&rest, 3)]
		a.Known, a.Decided = bits(&rest, 2) == 0, bits(&rest, 2) == 0
		a.Left = []time.Time{{}, noon.Add(-time.Second), noon.Add(-time.Minute)}[bits(&rest, 3)]
		all, order := Addressing{Withdraw: 3 * time.Second}, ""
		switch bits(&rest, 4) {
		case 1:
			order = "by order"
		case 2:
			all.Standby = true
		case 3:
			hosts = nil
		}
		served := false
		for _, h := range hosts {
			served = served || h.Owner == "" && h.Placed && h.Marked && h.Strength.Serves
		}
		before := a
		a.Want.Local = hosts == nil // it was served
		again := a.Place(hosts, order, all, noon)
		w := a.Want
		switch {
		case w.Device == "lvs0" && (a.Order != "" || !served):
			t.Fatalf("%d: announced, %+v", code, a)
		case w.Device == "lvs1" && !w.Local:
			t.Fatalf("%d: on the last resort, %+v", code, a)
		case w.Device != "" && w.Device != "lvs0" && w.Device != "lvs1", !again.IsZero() && !again.After(noon):
			t.Fatalf("%d: %+v, again at %v", code, a, again)
		case w.Local != (served || hosts == nil):
			t.Fatalf("%d: its packets are served: %t, %+v", code, w.Local, a)
		}
		once := a
		if a.Place(hosts, order, all, noon); fmt.Sprint(a) != fmt.Sprint(once) && before.Decided {
			t.Fatalf("%d: %+v, and then %+v", code, once, a)
		}
		reached[placeOf(w)+word(a.Order != "", " withdrawn")] = true
	}
	testkit.Equal(t, len(reached), 14, "places reached")
}

// An address is taken off each device on which it may be: that of announce, the last resort, and where it is now.
func TestTheDevicesOfAnAddress(t *testing.T) {
	for given, want := range map[string]string{
		"last= at=":           "[lvs0] false",
		"last= at=lvs0":       "[lvs0] true",
		"last=lvs1 at=":       "[lvs0 lvs1] false",
		"last=lvs1 at=lvs1":   "[lvs0 lvs1] false",
		"last=lvs1 at=former": "[lvs0 lvs1 former] false",
	} {
		a, hosts := addressed()
		fill(&a, given)
		a.Place(hosts, "", Addressing{}, noon)
		testkit.Equal(t, fmt.Sprint(a.Want.Devices, a.IsThere()), want, given)
	}
}
