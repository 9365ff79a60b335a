package ipvsctl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// contractCase makes changes that succeed, then one that may fail, and compares the table.
type contractCase struct {
	name   string
	before []string
	op     string
	after  []string
	err    error
}

var errnos = map[string]error{
	"EINVAL": syscall.EINVAL, "ENOENT": syscall.ENOENT, "ERANGE": syscall.ERANGE, "ESRCH": syscall.ESRCH,
}

// contract is what the table in memory and the kernel have in common.
func contract(t *testing.T) (cases []contractCase) {
	t.Helper()
	for _, row := range testkit.Table(t, "../testdata/ipvsctl/contract.txt", 4) {
		c := contractCase{name: row[0], before: lines(row[1]), op: row[2], err: errnos[row[3]]}
		if c.after = c.before; row[3] != "" && c.err == nil {
			c.after = lines(row[3])
		}
		cases = append(cases, c)
	}
	return cases
}

// lines are those of a cell.
func lines(cell string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(cell, "; ", ";"), func(r rune) bool { return r == ';' })
}

// testContract runs the cases of the contract; open makes an empty table.
func testContract(t *testing.T, open func(*testing.T) Client) {
	for _, c := range contract(t) {
		t.Run(c.name, func(t *testing.T) {
			client := open(t)
			apply(t, client, parseOps(t, c.before...)...)
			err := client.Do(context.Background(), parseOp(t, c.op))[0]
			if !errors.Is(err, c.err) {
				t.Fatalf("got %v, want %v", err, c.err)
			}
			if failed := (*OpError)(nil); err != nil && (!errors.As(err, &failed) || failed.Op != c.op) {
				t.Errorf("%#v is no OpError of %s", err, c.op)
			}
			ofDest := strings.HasPrefix(c.op, "-a") || strings.HasPrefix(c.op, "-e") ||
				strings.HasPrefix(c.op, "-d")
			if want := c.err == syscall.ESRCH || c.err == syscall.ENOENT && ofDest; IsMissing(err) != want {
				t.Errorf("%v: something is missing: %v, want %v", err, !want, want)
			}
			testkit.Equal(t, lvs.Format(apply(t, client)), text(c.after))
		})
	}
	t.Run("timeout and granularity are not kept without persistence", func(t *testing.T) {
		op := parseOp(t, "-A -f 1 -s rr")
		op.Settings.Timeout, op.Settings.Netmask = 77, 0xff000000
		got := apply(t, open(t), op)[op.Key].Settings
		testkit.Equal(t, got, (lvs.Settings{Scheduler: "rr", Netmask: lvs.EachClient(false)}))
	})
	t.Run("each change of a batch has its own result", func(t *testing.T) {
		client := open(t)
		do(t, client, parseOps(t, "-A -f 3 -s rr", "-a -f 3 -r 10.2.0.10:0 -g -w 9")...)
		ops := parseOps(t, "-A -f 1 -s rr", "-A -f 2 -s nope", "-E -f 3 -s rr", "-A -f 0 -s rr")
		wrong := map[int]error{1: syscall.ENOENT, 3: syscall.EINVAL}
		var want []string
		for n := range 3 * lvs.Batch { // more than one send can carry
			dest := fmt.Sprintf("-a -f 3 -r 10.2.0.%d:0 -g -w 1", n)
			switch n % 50 {
			case 7:
				dest, wrong[len(ops)] = strings.Replace(dest, "-a", "-e", 1), syscall.ENOENT
			case 8:
				dest, wrong[len(ops)] = strings.Replace(dest, "-f 3", "-f 2", 1), syscall.ESRCH
			case 9:
				dest, wrong[len(ops)] = dest+" -y 1", syscall.ERANGE
			default:
				want = append(want, dest)
			}
			ops = append(ops, parseOp(t, dest))
		}
		for i, err := range client.Do(context.Background(), ops...) {
			testkit.Is(t, err, wrong[i], ops[i])
		}
		slices.SortFunc(want,
			func(a, b string) int { return parseOp(t, a).Dest.Addr.Compare(parseOp(t, b).Dest.Addr) })
		if got, want := lvs.Format(apply(t, client)),
			text(append([]string{"-A -f 1 -s rr", "-A -f 3 -s rr"}, want...)); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
	t.Run("every change of a batch may fail", func(t *testing.T) {
		client := open(t)
		do(t, client, parseOp(t, "-A -f 1 -s rr"))
		gone := slices.Repeat(parseOps(t, "-e -f 1 -r 10.2.0.1:0 -g -w 1", "-d -f 1 -r 10.2.0.1:0",
			"-d -f 2 -r 10.2.0.1:0"), 2*lvs.Batch)
		for i, err := range client.Do(context.Background(), gone...) {
			testkit.Is(t, err, []error{syscall.ENOENT, syscall.ENOENT, syscall.ESRCH}[i%3], i, gone[i])
		}
	})
	t.Run("nothing happens after the context's end", func(t *testing.T) {
		client := open(t)
		ended, end := context.WithCancel(context.Background())
		end()
		_, readErr := client.Read(ended)
		doErr := client.Do(ended, parseOp(t, "-A -f 1 -s rr"))[0]
		for _, err := range []error{readErr, doErr} {
			if failed := (*OpError)(nil); !errors.Is(err, context.Canceled) || !errors.As(err, &failed) {
				t.Errorf("%v", err)
			}
		}
		if table := apply(t, client); len(table) > 0 {
			t.Errorf("there is\n%s", lvs.Format(table))
		}
	})
}

func text(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	return b.String()
}

func TestMemoryKeepsTheContract(t *testing.T) {
	testContract(t, func(*testing.T) Client { return NewMemory(nil) })
}

// A change that no line of ipvsadm can express is refused. The kernel would take it for something else.
func TestChangesThatMakeNoSenseAreRefused(t *testing.T) {
	good := parseOp(t, "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 1")
	zoned := netip.MustParseAddrPort("[fe80::1%eth0]:80")
	for name, spoil := range map[string]func(*lvs.Op){
		"kind":                 func(op *lvs.Op) { op.Kind = lvs.DelDest + 1 },
		"protocol":             func(op *lvs.Op) { op.Key.Protocol = 1 },
		"address with a mark":  func(op *lvs.Op) { op.Key.Mark = 1 },
		"mark with an address": func(op *lvs.Op) { op.Key.Protocol, op.Key.Mark = lvs.Mark, 1 },
		"family":               func(op *lvs.Op) { op.Key.IPv6 = true },
		"no address":           func(op *lvs.Op) { op.Key.Addr = netip.AddrPort{} },
		"zone": func(op *lvs.Op) {
			op.Key.Addr, op.Key.IPv6, op.Dest.Forward = zoned, true,
				lvs.Tunnel
		},
		"no destination address": func(op *lvs.Op) { op.Dest.Addr = netip.AddrPort{} },
		"removal of no address":  func(op *lvs.Op) { op.Kind, op.Dest.Addr = lvs.DelDest, netip.AddrPort{} },
		"method":                 func(op *lvs.Op) { op.Dest.Forward = lvs.Route + 1 },
	} {
		op := good
		spoil(&op)
		m := NewMemory(tableOf(t, "-A -t 10.1.0.1:80 -s rr"))
		testkit.Is(t, m.Do(context.Background(), op)[0], syscall.EINVAL, name)
	}
}

// Each limit itself is allowed; the next value is not.
func TestLimitsOfSettings(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/ipvsctl/limits.txt", 3) {
		testkit.OK(t, Check(parseOp(t, row[1])), row[0])
		testkit.Is(t, Check(parseOp(t, row[2])), syscall.EINVAL, row[2])
	}
}

func TestErrorsSayWhatWasAskedAndWhatItMayBe(t *testing.T) {
	m := NewMemory(tableOf(t, "-A -f 1 -s rr"))
	for _, row := range testkit.Table(t, "../testdata/ipvsctl/errors.txt", 2) {
		testkit.Fails(t, m.Do(context.Background(), parseOp(t, row[0]))[0], "ipvs "+row[0]+": "+row[1])
	}
}

func TestMemoryTellsOfEachChangeAndOfNothingElse(t *testing.T) {
	var seen []string
	m := NewMemory(nil)
	m.OnChange = func() {
		table, err := m.Read(context.Background())
		if err != nil {
			t.Error(err)
		}
		seen = append(seen, lvs.Format(table))
	}
	apply(t, m, parseOps(t, "-A -f 1 -s rr", "-D -f 2", "-D -f 1")...)
	for _, refused := range []string{"-A -f 3 -s nope", "-d -f 1 -r 10.2.0.1:0"} {
		if err := m.Do(context.Background(), parseOp(t, refused))[0]; err == nil {
			t.Errorf("%s is accepted", refused)
		}
	}
	testkit.Same(t, seen, []string{"-A -f 1 -s rr\n", ""}, "told")
}

func TestMemorySharesNothingWithItsReaders(t *testing.T) {
	start := tableOf(t, "-A -f 1 -s rr", "-a -f 1 -r 10.2.0.1:0 -g -w 1")
	m := NewMemory(start)
	key := parseOp(t, "-D -f 1").Key
	clear(start[key].Dests)
	clear(apply(t, m)[key].Dests)
	if got := apply(t, m)[key].Dests; len(got) != 1 || !got[0].Addr.IsValid() {
		t.Errorf("%v are left", got)
	}
}

func BenchmarkMemory10kChanges(b *testing.B) {
	ops := lvs.Diff(nil, manyDests())
	b.ReportAllocs()
	for b.Loop() {
		m := NewMemory(nil)
		if err := errors.Join(m.Do(context.Background(), ops...)...); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFormat10k(b *testing.B) {
	table := manyDests()
	b.ReportAllocs()
	for b.Loop() {
		lvs.Format(table)
	}
}
