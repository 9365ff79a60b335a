package daemon

import (
	"context"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/director"
	"ldirectord/instance"
	"ldirectord/run"
)

// An order for a time is one of this boot. After another one the wall clock decides, and so it does for one without a boot.
func TestAnOrderForATimeIsOfThisBoot(t *testing.T) {
	file := orderFile(filepath.Join(t.TempDir(), "drain"))
	r, err := NewSetOrder("maint", "", "", "2h")
	if left := r.Ends - run.SinceBoot(); err != nil || left < time.Hour || left > 2*time.Hour || r.Boot == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	until, _ := NewSetOrder("maint", "", "23:59", "")
	at := func(real string) director.Backend { return director.Backend{Virtual: "fwm:3", Real: real} }
	former, earlier := r.Order, r.Order
	former.Boot, earlier.Boot, earlier.Ends = "another", "", 0
	all := director.Orders{at("a:1"): r.Order, at("b:1"): former, at("c:1"): earlier, at("d:1"): until.Order}
	if err := file.write(all); err != nil {
		t.Fatal(err)
	}
	got, err := file.read()
	if err != nil || got[at("a:1")] != r.Order || got[at("c:1")] != earlier || got[at("d:1")] != until.Order {
		t.Errorf("%v, %v; want %v", got, err, all)
	}
	if o := got[at("b:1")]; o.Ends != 0 || !o.End().Equal(r.Until) || until.Ends != 0 {
		t.Errorf("of another boot: %+v", o)
	}
}

// What is recorded is read again as it was. Who is taken out has a line of its own. A file without the format is refused.
func TestTheFileOfOrders(t *testing.T) {
	dir := t.TempDir()
	file := orderFile(filepath.Join(dir, "drain"))
	if all, err := file.read(); len(all) != 0 || err != nil {
		t.Errorf("no file: %v, %v", all, err)
	}
	now := second(time.Now())
	web, mail := director.Backend{Virtual: "tcp:10.1.0.1:80", Real: "10.2.0.1:80"}, director.Backend{Virtual: "fwm:3", Real: "10.2.0.1:25"}
	other := director.Backend{Virtual: "fwm:3", Real: "10.2.0.2:25"}
	all := director.Orders{
		web:   {Kind: director.Maint, Why: "new \"disk\"\u2028 # {", By: "kim", Since: now, Until: now.Add(time.Hour)},
		mail:  {Kind: director.Weigh, Weight: 20, Since: now},
		other: {Kind: director.Drain},

		{Virtual: "fwm:3"}: {Kind: director.Obey, Since: now},
	}
	if err := file.write(all); err != nil {
		t.Fatal(err)
	}
	if got, err := file.read(); !maps.Equal(got, all) || err != nil {
		t.Errorf("read again: %v, %v", got, err)
	}
	text, _ := os.ReadFile(string(file))
	var plain []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			plain = append(plain, strings.TrimSpace(line))
		}
	}
	bad := orderFile(filepath.Join(dir, "bad"))
	if err := os.WriteFile(string(bad), []byte(instance.OrdersFormat+"\n # {1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := bad.read(); len(all) != 0 || err == nil {
		t.Errorf("an order that is none: %v, %v", all, err)
	}
	if got := strings.Join(plain, ", "); got != "fwm:3 10.2.0.2:25, tcp:10.1.0.1:80 10.2.0.1:80" {
		t.Errorf("taken out: %s", got)
	}
	for text, want := range map[string]director.Orders{
		"# ldirectord 2\nfwm:3 10.2.0.1:25\n":                       {mail: {Kind: director.Drain}},
		"# ldirectord 2\n# a word\n\nnothing\nfwm:3":                {},
		"# ldirectord 2\n# {\"virtual\":\"fwm\nfwm:3 10.2.0.1:25\n": {mail: {Kind: director.Drain}},
	} {
		if err := run.Write(string(file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := file.read(); !maps.Equal(got, want) || (err != nil) != strings.Contains(text, "{") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if err := run.Write(string(file), []byte("fwm:3 10.2.0.1:25\nfwm:3 10.2.0.2:25\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := file.read(); len(all) != 0 || err == nil || !strings.HasSuffix(err.Error(), "again: fwm:3 10.2.0.1:25; fwm:3 10.2.0.2:25; ") {
		t.Errorf("without a format: %v, %v", all, err)
	}
}

// An order that is over leaves the file, unless a command has recorded another one in it meanwhile: that is first
// carried out.
func TestOrdersThatAreOverAreDropped(t *testing.T) {
	a, b := director.Backend{Virtual: "fwm:3", Real: "10.2.0.1:25"}, director.Backend{Virtual: "fwm:3", Real: "10.2.0.2:25"}
	over := director.Order{Kind: director.Maint, Until: second(time.Now().Add(-time.Hour))}
	holds := director.Order{Kind: director.Maint, Until: second(time.Now().Add(time.Hour))}
	for what, c := range map[string]struct{ given, recorded, left director.Orders }{
		"none is over":     {director.Orders{a: holds}, director.Orders{a: holds}, director.Orders{a: holds}},
		"one is over":      {director.Orders{a: over, b: holds}, director.Orders{a: over, b: holds}, director.Orders{b: holds}},
		"all are over":     {director.Orders{a: over}, director.Orders{a: over}, director.Orders{}},
		"another recorded": {director.Orders{a: over}, director.Orders{a: over, b: holds}, director.Orders{a: over, b: holds}},
		"the file is lost": {director.Orders{a: over, b: holds}, nil, director.Orders{b: holds}},
	} {
		t.Run(what, func(t *testing.T) {
			lock := &instance.Lock{}
			lock.Drain = filepath.Join(t.TempDir(), "drain")
			o := &orders{d: &daemon{lock: lock}, given: c.given}
			if c.recorded != nil {
				if err := o.orderFile().write(c.recorded); err != nil {
					t.Fatal(err)
				}
			}
			o.keepGiven(t.Context())
			if got, err := o.orderFile().read(); !maps.Equal(got, c.left) || err != nil {
				t.Errorf("the file has %v, %v; want %v", got, err, c.left)
			}
		})
	}
}

func TestHowLongAnOrderLasts(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.Local)
	for _, c := range []struct {
		until, last string
		want        time.Duration // 0: forever; -1: refused
	}{
		{"", "", 0}, {"", "90s", 90 * time.Second}, {"", "30m", 30 * time.Minute}, {"", "2h", 2 * time.Hour}, {"", "1d", 24 * time.Hour},
		{"", "1.5h", 90 * time.Minute}, {"", "1h30m", -1}, {"", "3650d", 3650 * 24 * time.Hour}, {"18:00", "", 6 * time.Hour}, {"12:00", "", 24 * time.Hour},
		{"", "3651d", -1}, {"", "99999d", -1}, {"", "-1h", -1}, {"", "0s", -1}, {"", "1ms", -1}, {"", "2", -1}, {"", "d", -1}, {"", "-1d", -1},
		{"24:00", "", -1}, {"2026-11-21 11:59", "", -1}, {"18:00", "1h", -1}, {"soon", "", -1},
	} {
		end, err := endOf(c.until, c.last, now)
		switch {
		case c.want < 0 && err == nil:
			t.Errorf("%+v: it is taken: %v", c, end)
		case c.want == 0 && (err != nil || !end.IsZero()), c.want > 0 && (err != nil || end.Sub(now) != c.want):
			t.Errorf("%+v: %v, %v", c, end, err)
		}
	}
}

func TestTheReasonOfAnOrderIsOneShortLine(t *testing.T) {
	for why, want := range map[string]string{
		" new disk ":             "new disk",
		"a\nb\x1b[31m":           "a b [31m",
		strings.Repeat("x", 999): strings.Repeat("x", maxWhy) + "…",
	} {
		if r, err := NewSetOrder("maint", why, "", ""); r.Why != want || err != nil {
			t.Errorf("%q: %q, %v", why, r.Why, err)
		}
	}
	if r, err := NewSetOrder("weight 0", "", "", ""); r.Kind != director.Drain || r.Weight != 0 || err != nil {
		t.Errorf("weight 0: %+v, %v", r, err)
	}
	for _, what := range []string{"", "weight", "weight x", "weight -1", "weight 1 2", "weight 2147483648", "Drain", "off"} {
		if _, err := NewSetOrder(what, "", "", ""); err == nil {
			t.Errorf("%q is taken", what)
		}
	}
}

func TestAnOrderThatIsTakenBackHasNoReasonAndNoEnd(t *testing.T) {
	for _, o := range [][3]string{{"", "", "2h"}, {"", "18:00", ""}, {"done", "", ""}} {
		if _, err := NewSetOrder("ready", o[0], o[1], o[2]); err == nil {
			t.Errorf("ready is taken with %q", o)
		}
	}
	if _, err := NewSetOrder("ready", "", "", ""); err != nil {
		t.Error(err)
	}
}

// A server of which a name and an address are known has one order, by whichever of them it was given, and is told of once.
func TestAServerWithTwoNamesHasOneOrder(t *testing.T) {
	const id = "tcp:10.1.0.1:80"
	addr := netip.MustParseAddrPort("10.2.0.1:80")
	now := &director.Snapshot{Virtuals: []director.VirtualSnapshot{{ID: id, Servers: []director.ServerSnapshot{
		{Real: "web:80", Addr: addr, ServerNames: director.ServerNames{Address: "10.2.0.1", Alias: addr.String()}},
	}}}}
	for what, left := range map[string]int{"weight 3": 1, "ready": 0} {
		all := director.Orders{{Virtual: id, Real: addr.String()}: {Kind: director.Maint}}
		r, _ := NewSetOrder(what, "", "", "")
		r.Real = "10.2.0.1"
		meant, err := r.carryOut(now, all, "a.cf", orderFile(filepath.Join(t.TempDir(), "drain")))
		if len(meant) != 1 || meant[0].Real != "web:80" || len(all) != left || err != nil {
			t.Errorf("%s: %v, %v, left %v", what, meant, err, all)
		}
	}
}

// Orders that are recorded and that the director did not take are given to it again, until it does.
func TestOrdersThatTheDirectorDidNotTakeAreGivenAgain(t *testing.T) {
	at := director.Backend{Virtual: "fwm:3", Real: "10.2.0.1:25"}
	lock := &instance.Lock{}
	lock.Drain = filepath.Join(t.TempDir(), "drain")
	o := &orders{d: &daemon{lock: lock, director: director.New(director.Deps{})}} // which does not run
	if err := o.orderFile().write(director.Orders{at: {Kind: director.Drain}}); err != nil {
		t.Fatal(err)
	}
	gone, end := context.WithCancel(t.Context())
	end()
	for range 2 {
		if o.followGiven(gone) || len(o.given) != 0 {
			t.Fatalf("the director has %v", o.given)
		}
	}
}
