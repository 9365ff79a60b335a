package ipvsctl

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

func TestDiffAddsBeforeItTakesAway(t *testing.T) {
	have := tableOf(t,
		"-A -t 10.1.0.1:80 -s wrr",
		"-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 5",
		"-a -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 0",
		"-a -t 10.1.0.1:80 -r 10.2.0.3:80 -g -w 3",
		"-a -t 10.1.0.1:80 -r 10.2.0.4:80 -g -w 1",
		"-a -t 10.1.0.1:80 -r 10.2.0.9:80 -g -w 1",
		"-A -t 10.1.0.2:80 -s rr",
		"-A -t 10.9.0.9:80 -s rr",
		"-a -t 10.9.0.9:80 -r 10.2.0.1:80 -g -w 1",
	)
	want := tableOf(t,
		"-A -t 10.1.0.1:80 -s wlc -p 60",
		"-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0",
		"-a -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 5",
		"-a -t 10.1.0.1:80 -r 10.2.0.3:80 -m -w 3",
		"-a -t 10.1.0.1:80 -r 10.2.0.4:80 -g -w 1",
		"-a -t 10.1.0.1:80 -r 10.2.0.5:80 -g -w 1",
		"-a -t 10.1.0.1:80 -r 10.2.0.6:80 -g -w 1",
		"-A -t 10.1.0.2:80 -s rr",
		"-A -t 10.1.0.3:80 -s rr",
		"-a -t 10.1.0.3:80 -r 10.2.0.1:80 -g -w 1",
	)
	got := linesOf(lvs.Diff(have, want))
	expected := []string{
		"-E -t 10.1.0.1:80 -s wlc -p 60",
		"-a -t 10.1.0.1:80 -r 10.2.0.5:80 -g -w 1",
		"-a -t 10.1.0.1:80 -r 10.2.0.6:80 -g -w 1",
		"-e -t 10.1.0.1:80 -r 10.2.0.2:80 -g -w 5",
		"-e -t 10.1.0.1:80 -r 10.2.0.3:80 -m -w 3",
		"-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 0",
		"-d -t 10.1.0.1:80 -r 10.2.0.9:80",
		"-A -t 10.1.0.3:80 -s rr",
		"-a -t 10.1.0.3:80 -r 10.2.0.1:80 -g -w 1",
	}
	testkit.Same(t, got, expected)
}

func TestEditsAndRemovalsSayWhatStoodThere(t *testing.T) {
	have := tableOf(t, "-A -f 1 -s rr", "-a -f 1 -r 10.2.0.1:0 -g -w 5", "-a -f 1 -r 10.2.0.2:0 -g -w 2")
	want := tableOf(t, "-A -f 1 -s rr", "-a -f 1 -r 10.2.0.1:0 -g -w 7")
	ops := lvs.Diff(have, want)
	if len(ops) != 2 || ops[0].Old.Weight != 5 || ops[1].Old.Weight != 2 || ops[1].Dest != ops[1].Old {
		t.Errorf("%+v", ops)
	}
}

func TestTimeoutAndGranularityDoNotCountWithoutPersistence(t *testing.T) {
	have := tableOf(t, "-A -t 10.1.0.1:80 -s rr", "-A -t [fd00::1]:80 -s rr")
	want := cloneOf(have)
	for key, service := range want {
		service.Settings.Timeout, service.Settings.Netmask = 77, 0
		want[key] = service
	}
	if ops := lvs.Diff(have, want); len(ops) > 0 {
		t.Errorf("changes where there is nothing to change: %q", linesOf(ops))
	}
}

// Diff on random pairs of tables: its changes turn one table into the other, leave foreign services unchanged, and
// never leave a service without a serving destination if it has one before and after.
func TestDiffLeadsThereAndKeepsServing(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 0))
		have, want := randomTable(r), randomTable(r)
		table := NewMemory(have)
		for i, op := range lvs.Diff(have, want) {
			now := apply(t, table, op)
			if _, ours := want[op.Key]; !ours {
				t.Fatalf("seed %d: %s on a foreign service", seed, op)
			}
			if have[op.Key].Dests.Serve() && want[op.Key].Dests.Serve() && !now[op.Key].Dests.Serve() {
				t.Fatalf("seed %d: no destination serves after change %d of %q", seed, i,
					linesOf(lvs.Diff(have, want)))
			}
		}
		now := apply(t, table)
		if left := lvs.Diff(now, want); len(left) > 0 {
			t.Fatalf("seed %d: still to do: %q", seed, linesOf(left))
		}
		for key, service := range now {
			w, ours := want[key]
			if ours && !equal(service, w) || !ours && !equal(service, have[key]) {
				t.Fatalf("seed %d: %s is not as wanted", seed, key)
			}
		}
	}
}

func equal(a, b lvs.VirtualService) bool {
	return lvs.Format(lvs.Table{a.Key: a}) == lvs.Format(lvs.Table{b.Key: b})
}

// randomTable has a few services and destinations of few kinds, so that two random tables have much in common.
func randomTable(r *rand.Rand) lvs.Table {
	table := lvs.Table{}
	for n := range 4 {
		if r.IntN(3) == 0 {
			continue
		}
		key := lvs.Key{Protocol: lvs.TCP,
			Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(n)}), 80)}
		if n == 3 {
			key = lvs.Key{Protocol: lvs.Mark, Mark: 3}
		}
		settings := lvs.Settings{Scheduler: []string{"rr", "wlc"}[r.IntN(2)]}
		if r.IntN(2) == 0 {
			settings.Flags, settings.Timeout, settings.Netmask = lvs.Persistent, 60, lvs.EachClient(false)
		}
		service := lvs.VirtualService{Key: key, Settings: settings}
		for d := range 4 {
			addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(d)}), 80)
			if r.IntN(3) > 0 {
				service.Dests.Put(lvs.Dest{Addr: addr, Forward: lvs.Forward(r.IntN(2) * 3),
					Weight: uint32(r.IntN(3))})
			}
		}
		table[key] = service
	}
	return table
}

// rack is a table of services with as many real servers each.
func rack(services, servers int, weight uint32) lvs.Table {
	table := lvs.Table{}
	for s := range services {
		at := func(net int, port uint16) netip.AddrPort {
			ip := netip.AddrFrom4([4]byte{10, byte(net), byte(s / 250), byte(s % 250)})
			return netip.AddrPortFrom(ip, port)
		}
		service := lvs.VirtualService{Key: lvs.Key{Protocol: lvs.TCP, Addr: at(1, 80)},
			Settings: lvs.Settings{Scheduler: "rr"}}
		for d := range servers {
			service.Dests.Put(lvs.Dest{Addr: at(2+d, 8080), Weight: weight})
		}
		table[service.Key] = service
	}
	return table
}

// manyDests is a table of 10,000 real servers behind 100 services.
func manyDests() lvs.Table { return rack(100, 100, 1) }

func BenchmarkDiff10k(b *testing.B) {
	have := manyDests()
	oneIn := func(n int) lvs.Table {
		want, i := cloneOf(have), 0
		for _, service := range want {
			for _, dest := range service.Dests {
				if i++; i%n == 0 {
					dest.Weight = 0
					service.Dests.Put(dest)
				}
			}
		}
		return want
	}
	for _, c := range []struct {
		name       string
		have, want lvs.Table
	}{
		{"same", have, have},
		{"one percent", have, oneIn(100)},
		{"every one", have, oneIn(1)},
		{"new", lvs.Table{}, have},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				lvs.Diff(c.have, c.want)
			}
		})
	}
}

func TestRoundsPutWhatTakesAwayLast(t *testing.T) {
	for line, want := range map[string]int{
		"-A -f 1 -s rr": 0, "-E -f 1 -s rr": 0, "-D -f 1": 0,
		"-a -f 1 -r 10.2.0.1:0 -g -w 5": 1,
		"-d -f 1 -r 10.2.0.1:0":         3,
	} {
		testkit.Equal(t, parseOp(t, line).Round(), want, line, "round")
	}
	edit := parseOp(t, "-e -f 1 -r 10.2.0.1:0 -g -w 5")
	for was, want := range map[uint32]int{4: 1, 5: 2, 6: 2} {
		edit.Old.Weight = was
		testkit.Equal(t, edit.Round(), want, "from weight", was, "to 5: round")
	}
}
