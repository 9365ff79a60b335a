package announce

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"

	"github.com/vishvananda/netlink"
)

// Each line that does not begin with ">" is an event. Those that do are the steps and the result of a Sync,
// in one line or several.
//
//	sync [repair] ADDR=DEVICE|local|-|?|?local …   every address may be on lvs0 and lvs1
//	down, up, lose, make DEVICE              "lose" removes the device
//	del, add ADDR DEVICE                     by hand
//	quiet ADDR DEVICE                        by hand, never a source
//	seen DEVICE                              the kernel reported that it was down
//	restart                                  the daemon is killed, the next one begins
var stories = map[string]string{
	"routes before addresses that come, addresses before routes that go": `
		sync 192.0.2.10=lvs0 2001:db8::10=lvs0
		> +route 192.0.2.10, +addr 192.0.2.10 lvs0, +route 2001:db8::10, +addr 2001:db8::10 lvs0:
		> 192.0.2.10 lvs0, 2001:db8::10 lvs0
		sync 192.0.2.10=lvs0 2001:db8::10=lvs0
		> nothing: 192.0.2.10 lvs0, 2001:db8::10 lvs0
		sync 192.0.2.10=local 2001:db8::10=-
		> -addr 192.0.2.10 lvs0, -addr 2001:db8::10 lvs0, -route 2001:db8::10: 192.0.2.10 -, 2001:db8::10 -
		sync 192.0.2.10=- 2001:db8::10=-
		> -route 192.0.2.10: 192.0.2.10 -, 2001:db8::10 -`,
	"between devices: removed, then added": `
		sync 192.0.2.10=lvs0
		> +route 192.0.2.10, +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0
		sync 192.0.2.10=lvs1
		> -addr 192.0.2.10 lvs0, +addr 192.0.2.10 lvs1: 192.0.2.10 lvs1
		sync 192.0.2.10=lvs0
		> -addr 192.0.2.10 lvs1, +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0`,
	"undecided stays as it is found": `
		sync 192.0.2.10=? 192.0.2.11=?
		> nothing: 192.0.2.10 -, 192.0.2.11 -
		sync 192.0.2.10=lvs1 192.0.2.11=local
		> +route 192.0.2.10, +addr 192.0.2.10 lvs1, +route 192.0.2.11: 192.0.2.10 lvs1, 192.0.2.11 -
		restart
		sync 192.0.2.10=? 192.0.2.11=?
		> nothing: 192.0.2.10 lvs1, 192.0.2.11 -
		sync 192.0.2.10=lvs0 192.0.2.11=-
		> -addr 192.0.2.10 lvs1, +addr 192.0.2.10 lvs0, -route 192.0.2.11: 192.0.2.10 lvs0, 192.0.2.11 -`,
	"undecided, its checks have a route": `
		sync 192.0.2.10=?local 2001:db8::10=?local
		> +route 192.0.2.10, +route 2001:db8::10: 192.0.2.10 -, 2001:db8::10 -
		sync 192.0.2.10=?local 2001:db8::10=?
		> nothing: 192.0.2.10 -, 2001:db8::10 -
		sync 192.0.2.10=lvs1 2001:db8::10=-
		> +addr 192.0.2.10 lvs1, -route 2001:db8::10: 192.0.2.10 lvs1, 2001:db8::10 -
		restart
		sync 192.0.2.10=?local
		> nothing: 192.0.2.10 lvs1
		sync
		> -addr 192.0.2.10 lvs1, -route 192.0.2.10:
		refuse +route
		sync 192.0.2.10=?local
		> +route 192.0.2.10: 192.0.2.10 - (adding its local route: killed)`,
	"what left the file is withdrawn": `
		sync 192.0.2.10=lvs0 2001:db8::10=lvs1 192.0.2.11=lvs0
		> +route 192.0.2.10, +addr 192.0.2.10 lvs0, +route 2001:db8::10, +addr 2001:db8::10 lvs1,
		> +route 192.0.2.11, +addr 192.0.2.11 lvs0:
		> 192.0.2.10 lvs0, 2001:db8::10 lvs1, 192.0.2.11 lvs0
		sync 192.0.2.10=lvs0 2001:db8::10=lvs1
		> -addr 192.0.2.11 lvs0, -route 192.0.2.11: 192.0.2.10 lvs0, 2001:db8::10 lvs1
		restart
		sync
		> -addr 192.0.2.10 lvs0, -route 192.0.2.10, -addr 2001:db8::10 lvs1, -route 2001:db8::10:
		sync
		> nothing:`,
	"a device that is missing, down, or no dummy": `
		lose lvs0
		sync 192.0.2.10=lvs0
		> +route 192.0.2.10: 192.0.2.10 - (device lvs0 is missing)
		make lvs0
		sync 192.0.2.10=lvs0
		> nothing: 192.0.2.10 - (device lvs0 is down)
		up lvs0
		sync 192.0.2.10=lvs0
		> +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0
		sync 192.0.2.11=eth0 192.0.2.10=lvs0
		> +route 192.0.2.11: 192.0.2.11 - (device eth0 is not a dummy device), 192.0.2.10 lvs0`,
	"a device that was down has its addresses again": `
		sync 192.0.2.10=lvs0 2001:db8::10=lvs0
		> +route 192.0.2.10, +addr 192.0.2.10 lvs0, +route 2001:db8::10, +addr 2001:db8::10 lvs0:
		> 192.0.2.10 lvs0, 2001:db8::10 lvs0
		down lvs0
		sync 192.0.2.10=lvs0 2001:db8::10=lvs0
		> nothing: 192.0.2.10 - (device lvs0 is down), 2001:db8::10 - (device lvs0 is down)
		up lvs0
		sync 192.0.2.10=lvs0 2001:db8::10=lvs0
		> +addr 2001:db8::10 lvs0: 192.0.2.10 lvs0, 2001:db8::10 lvs0
		down lvs0
		up lvs0
		seen lvs0
		sync 192.0.2.10=lvs0 2001:db8::10=lvs0
		> +addr 2001:db8::10 lvs0: 192.0.2.10 lvs0, 2001:db8::10 lvs0
		lose lvs0
		make lvs0
		up lvs0
		sync 192.0.2.10=lvs0 2001:db8::10=lvs0
		> +addr 192.0.2.10 lvs0, +addr 2001:db8::10 lvs0: 192.0.2.10 lvs0, 2001:db8::10 lvs0`,
	"what is removed by hand after its device was down stays removed, though that is told later": `
		sync 192.0.2.10=lvs0
		> +route 192.0.2.10, +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0
		down lvs0
		up lvs0
		sync 192.0.2.10=lvs0
		> nothing: 192.0.2.10 lvs0
		del 192.0.2.10 lvs0
		seen lvs0
		sync 192.0.2.10=lvs0
		> nothing: 192.0.2.10 - (was removed from lvs0 by hand)`,
	"an address stays where it is while its new device can't have it": `
		sync 192.0.2.10=lvs0
		> +route 192.0.2.10, +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0
		down lvs1
		sync 192.0.2.10=lvs1
		> nothing: 192.0.2.10 lvs0 (device lvs1 is down)
		up lvs1
		sync 192.0.2.10=lvs1
		> -addr 192.0.2.10 lvs0, +addr 192.0.2.10 lvs1: 192.0.2.10 lvs1
		lose lvs0
		sync 192.0.2.10=lvs0
		> nothing: 192.0.2.10 lvs1 (device lvs0 is missing)
		sync 192.0.2.10=-
		> -addr 192.0.2.10 lvs1, -route 192.0.2.10: 192.0.2.10 -`,
	"removed by hand": `
		sync 192.0.2.10=lvs0
		> +route 192.0.2.10, +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0
		del 192.0.2.10 lvs0
		sync 192.0.2.10=lvs0
		> nothing: 192.0.2.10 - (was removed from lvs0 by hand)
		sync 192.0.2.10=lvs0
		> nothing: 192.0.2.10 - (was removed from lvs0 by hand)
		sync repair 192.0.2.10=lvs0
		> +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0
		del 192.0.2.10 lvs0
		sync 192.0.2.10=local
		> nothing: 192.0.2.10 -
		sync 192.0.2.10=lvs0
		> +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0
		del 192.0.2.10 lvs0
		restart
		sync 192.0.2.10=lvs0
		> +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0`,
	"addresses of others are left alone": `
		add 192.0.2.10 lvs0
		add 192.0.2.11 lvs1
		add 192.0.2.12 eth0
		sync 192.0.2.10=lvs0 192.0.2.11=lvs0 192.0.2.12=lvs0
		> +route 192.0.2.10, +route 192.0.2.11, +addr 192.0.2.11 lvs0, +route 192.0.2.12, +addr 192.0.2.12 lvs0:
		> 192.0.2.10 - (is on lvs0, where ldirectord did not put it: it is left alone),
		> 192.0.2.11 lvs0 (is on lvs1, where ldirectord did not put it: it is left alone),
		> 192.0.2.12 lvs0
		sync 192.0.2.10=- 192.0.2.11=-
		> -route 192.0.2.10, -addr 192.0.2.11 lvs0, -route 192.0.2.11, -addr 192.0.2.12 lvs0, -route 192.0.2.12:
		> 192.0.2.10 - (is on lvs0, where ldirectord did not put it: it is left alone),
		> 192.0.2.11 - (is on lvs1, where ldirectord did not put it: it is left alone)
		down lvs0
		sync 192.0.2.10=lvs0
		> +route 192.0.2.10: 192.0.2.10 - (device lvs0 is down)`,
	"an IPv6 address that is never a source is ours only by the record": `
		quiet 2001:db8::10 lvs1
		sync 2001:db8::10=lvs0
		> +route 2001:db8::10, +addr 2001:db8::10 lvs0:
		> 2001:db8::10 lvs0 (is on lvs1, where ldirectord did not put it: it is left alone)
		sync 2001:db8::10=-
		> -addr 2001:db8::10 lvs0, -route 2001:db8::10:
		> 2001:db8::10 - (is on lvs1, where ldirectord did not put it: it is left alone)
		quiet 2001:db8::11 lvs0
		sync 2001:db8::11=lvs0
		> nothing: 2001:db8::11 - (is on lvs0, where ldirectord did not put it: it is left alone)
		sync 2001:db8::11=lvs0
		> nothing: 2001:db8::11 - (is on lvs0, where ldirectord did not put it: it is left alone)
		sync 2001:db8::11=-
		> nothing: 2001:db8::11 - (is on lvs0, where ldirectord did not put it: it is left alone)`,
	"a kernel that refuses": `
		refuse +addr
		sync 192.0.2.10=lvs0
		> +route 192.0.2.10, +addr 192.0.2.10 lvs0: 192.0.2.10 - (announcing it: killed)
		refuse nothing
		sync 192.0.2.10=lvs0
		> +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0
		refuse -addr
		sync 192.0.2.10=-
		> -addr 192.0.2.10 lvs0: 192.0.2.10 lvs0 (removing it from lvs0: killed)
		sync
		> -addr 192.0.2.10 lvs0: 192.0.2.10 lvs0 (removing it from lvs0: killed)
		refuse nothing
		sync
		> -addr 192.0.2.10 lvs0, -route 192.0.2.10:`,
}

func TestSync(t *testing.T) {
	for name, story := range stories {
		t.Run(name, func(t *testing.T) { tell(t, story) })
	}
}

func tell(t *testing.T, story string) {
	f := newFake()
	a := f.announcer(t, "ldirectord.cf")
	var got []string
	for line := range strings.Lines(strings.TrimSpace(story)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, ">") {
			continue
		}
		got = append(got, line)
		words := strings.Fields(line + " -")
		addr, _ := netip.ParseAddr(words[1])
		switch words[0] {
		case "sync":
			got = append(got, "> "+syncLine(t, a, f, words[1:len(words)-1]))
		case "down":
			f.set(words[1], false)
			f.drop(words[1], netip.Addr.Is6)
		case "up", "make":
			f.set(words[1], words[0] == "up")
		case "lose":
			f.drop(words[1], netip.Addr.IsValid)
			f.links = slices.DeleteFunc(f.links, func(l *netlink.Dummy) bool { return l.Name == words[1] })
		case "del":
			f.drop(words[2], func(a netip.Addr) bool { return a == addr })
		case "add":
			f.byHand(addr, words[2])
		case "quiet":
			f.byHand(addr, words[2])
			f.held[len(f.held)-1].PreferedLft = 0
		case "seen":
			a.forget(func(on int) bool { return on == f.link(words[1]).Index })
		case "refuse":
			f.refuse = words[1]
		case "restart":
			kill(a)
			a = f.announcer(t, "ldirectord.cf")
		default:
			t.Fatalf("%s is not known", line)
		}
	}
	var want []string
	for line := range strings.Lines(strings.TrimSpace(story)) {
		line = strings.TrimSpace(line)
		if more, is := strings.CutPrefix(line, "> "); is && strings.HasPrefix(want[len(want)-1], ">") {
			want[len(want)-1] += " " + more
			continue
		}
		want = append(want, line)
	}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("line %d:\n got %s\nwant %s", i+1, strings.Join(got[i:], "\n     "), want[i])
		}
	}
}

// syncLine is one line with the steps and the result of a Sync.
func syncLine(t *testing.T, a *Announcer, f *fake, words []string) string {
	var want []lvs.Wanted
	repair := false
	for _, word := range words {
		if word == "repair" {
			repair = true
			continue
		}
		w := wantOf(word)
		w.Repair = repair
		want = append(want, w)
	}
	f.steps = nil
	places, err := a.Sync(t.Context(), want)
	var list []string
	for _, p := range places {
		text := p.Addr.String() + " " + strings.ReplaceAll(p.Device+".", ".", "")
		if p.Device == "" {
			text += "-"
		}
		testkit.Equal(t, slices.Contains(f.local, p.Addr), p.Local, p.Addr, "has a local route")
		if left := strings.HasSuffix(fmt.Sprint(p.Trouble), "left alone"); left != p.Up {
			t.Errorf("%s is foreign on %q, up: %v: %v", p.Addr, p.Foreign, p.Up, p.Trouble)
		}
		if others := strings.HasPrefix(fmt.Sprint(p.Trouble), "belongs to "); others != (p.Owner != "") {
			t.Errorf("%s is of %q: %v", p.Addr, p.Owner, p.Trouble)
		}
		if p.Trouble != nil {
			text += " (" + p.Trouble.Error() + ")"
		}
		list = append(list, text)
	}
	steps := strings.Join(f.steps, ", ")
	if steps == "" {
		steps = "nothing"
	}
	line := strings.TrimSpace(steps + ": " + strings.Join(list, ", "))
	if err != nil {
		line += " error: " + err.Error()
	}
	return line
}

func wantOf(word string) lvs.Wanted {
	addr, to, _ := strings.Cut(word, "=")
	w := lvs.Wanted{Addr: netip.MustParseAddr(addr), Devices: []string{"lvs1", "lvs0"}}
	switch to {
	case "?", "?local":
		w.Undecided, w.Local = true, to != "?"
	case "local":
		w.Local = true
	case "-":
	default:
		w.Device, w.Local = to, true
	}
	return w
}

// Two files have the same address: the second daemon leaves it to the first, and takes it over when the first has
// ended.
func TestOneAddressTwoDaemons(t *testing.T) {
	for _, addr := range []string{"192.0.2.10", "2001:db8::10"} {
		t.Run(addr, func(t *testing.T) { twoDaemons(t, strings.NewReplacer("192.0.2.10", addr)) })
	}
}

func twoDaemons(t *testing.T, as *strings.Replacer) {
	f := newFake()
	first, second := f.announcer(t, "www.cf"), f.announcer(t, "mail.cf")
	expect := func(a *Announcer, words, want string) {
		t.Helper()
		testkit.Equal(t, syncLine(t, a, f, strings.Fields(as.Replace(words))), as.Replace(want), words)
	}
	const other = "(belongs to www.cf, pid 7)"
	expect(first, "192.0.2.10=lvs0", "+route 192.0.2.10, +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0")
	expect(second, "192.0.2.10=lvs1 192.0.2.11=lvs1", "+route 192.0.2.11, +addr 192.0.2.11 lvs1: 192.0.2.10 - "+
		other+", 192.0.2.11 lvs1")
	expect(second, "192.0.2.10=- 192.0.2.11=lvs1", "nothing: 192.0.2.10 - "+other+", 192.0.2.11 lvs1")
	expect(second, "192.0.2.11=lvs1", "nothing: 192.0.2.11 lvs1")
	expect(first, "192.0.2.10=lvs0", "nothing: 192.0.2.10 lvs0")
	kill(first) // killed: the address stays
	expect(second, "192.0.2.10=? 192.0.2.11=lvs1", "nothing: 192.0.2.10 lvs0, 192.0.2.11 lvs1")
	expect(second, "192.0.2.10=lvs1 192.0.2.11=lvs1",
		"-addr 192.0.2.10 lvs0, +addr 192.0.2.10 lvs1: 192.0.2.10 lvs1, 192.0.2.11 lvs1")
	again := f.announcer(t, "www.cf") // its file does not have the address any more, its record still does
	expect(second, "192.0.2.10=lvs1 192.0.2.11=lvs1", "nothing: 192.0.2.10 lvs1, 192.0.2.11 lvs1")
	expect(again, "", "nothing:")
	expect(second, "192.0.2.11=lvs1", "-addr 192.0.2.10 lvs1, -route 192.0.2.10: 192.0.2.11 lvs1")
	expect(again, "192.0.2.10=lvs0", "+route 192.0.2.10, +addr 192.0.2.10 lvs0: 192.0.2.10 lvs0")
	// withdrawn first, as the director does
	expect(again, "192.0.2.10=-", "-addr 192.0.2.10 lvs0, -route 192.0.2.10: 192.0.2.10 -")
	expect(again, "", "nothing:")
	expect(second, "192.0.2.10=lvs1 192.0.2.11=lvs1",
		"+route 192.0.2.10, +addr 192.0.2.10 lvs1: 192.0.2.10 lvs1, 192.0.2.11 lvs1")
}

// After a daemon was killed before any of its steps, the next one puts all addresses in their places, and removes
// those that no file has any more.
func TestKilledAtEveryStep(t *testing.T) {
	begin := []string{"192.0.2.10=lvs0", "192.0.2.11=lvs0", "2001:db8::10=lvs0"}
	end := []string{"192.0.2.10=lvs1", "2001:db8::10=-", "192.0.2.12=lvs0", "2001:db8::12=lvs1",
		"192.0.2.13=?local"}
	for _, next := range [][]string{end, begin, {}} {
		for at := 1; ; at++ {
			f := newFake()
			first := f.announcer(t, "ldirectord.cf")
			syncLine(t, first, f, begin)
			f.killAt = at
			syncLine(t, first, f, end)
			done := len(f.steps) < at
			kill(first)
			f.killAt = 0
			second := f.announcer(t, "ldirectord.cf")
			syncLine(t, second, f, next)
			held, local := 0, 0
			for _, word := range next {
				w := wantOf(word)
				if w.Device != "" {
					held++
				}
				if w.Local {
					local++
				}
				for _, d := range w.Devices {
					testkit.Equal(t, slices.Contains(f.on(d), w.Addr.String()), d == w.Device,
						"killed at step", at, "then", next, w.Addr, "is on", d)
				}
			}
			if len(f.held) != held || len(f.local) != local {
				t.Errorf("killed at step %d, then %v: left are %v and routes %v", at, next, f.held,
					f.local)
			}
			if done {
				break
			}
		}
	}
}

// The record is written before the kernel's state changes, once for each change. If it can't be written, nothing is
// announced.
func TestRecord(t *testing.T) {
	f := newFake()
	a := f.announcer(t, "ldirectord.cf")
	saves, save := 0, a.save
	full := errors.New("disk full")
	a.save = func(r Record) error {
		if saves++; full != nil {
			return full
		}
		return save(r)
	}
	moved := wantOf("192.0.2.10=lvs2") // the configuration names another device
	moved.Devices = []string{"lvs2"}
	f.set("lvs2", true)
	down := lvs.Wanted{Addr: moved.Addr, Devices: moved.Devices}
	for _, step := range []struct {
		what    string
		err     error
		want    lvs.Wanted
		steps   string
		trouble string
		record  string
		saves   int
	}{
		{"full disk", full, wantOf("192.0.2.10=lvs0"), "[]", "disk full", "map[]", 2},
		{"up", nil, wantOf("192.0.2.10=lvs0"), "[+route 192.0.2.10 +addr 192.0.2.10 lvs0]", "",
			"map[192.0.2.10:[ lvs0]]", 3},
		{"the same", nil, wantOf("192.0.2.10=lvs0"), "[]", "", "map[192.0.2.10:[ lvs0]]", 3},
		{"full disk", full, moved, "[]", "disk full", "map[192.0.2.10:[ lvs0]]", 4},
		{"another device", nil, moved, "[-addr 192.0.2.10 lvs0 +addr 192.0.2.10 lvs2]", "",
			"map[192.0.2.10:[ lvs2]]", 6},
		{"down", nil, down, "[-addr 192.0.2.10 lvs2 -route 192.0.2.10]", "", "map[192.0.2.10:[]]", 7},
	} {
		f.steps, full = nil, step.err
		places, err := a.Sync(t.Context(), []lvs.Wanted{step.want})
		if !errors.Is(err, step.err) && err != nil || len(places) != 1 ||
			strings.TrimPrefix(fmt.Sprint(places[0].Trouble), "<nil>") != step.trouble {
			t.Errorf("%s: %v, %v", step.what, places, err)
		}
		testkit.Equal(t, fmt.Sprintf("%v %v %d", f.steps, f.records["ldirectord.cf"], saves),
			fmt.Sprintf("%s %s %d", step.steps, step.record, step.saves), step.what)
	}
}

// A list that changed while it was read is read again.
func TestTornLists(t *testing.T) {
	f := newFake()
	a := f.announcer(t, "ldirectord.cf")
	syncLine(t, a, f, []string{"192.0.2.10=lvs0"})
	for torn, want := range map[int]string{
		maxReads - 1: "nothing: 192.0.2.10 lvs0",
		maxReads:     "nothing: error: reading devices and addresses: " + netlink.ErrDumpInterrupted.Error(),
	} {
		f.torn = torn
		testkit.Equal(t, syncLine(t, a, f, []string{"192.0.2.10=lvs0"}), want, torn, "torn lists")
	}
}

func TestLabel(t *testing.T) {
	for name, want := range map[string]string{"lvs0": "lvs0:ldir", "announce10": "announce10:ldir",
		"announcements-4": "announceme:ldir"} {
		if got := addressOn(device{}, lvs.Wanted{Addr: netip.AddrFrom4([4]byte{}),
			Device: name}).Label; got != want || len(got) > 15 {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
