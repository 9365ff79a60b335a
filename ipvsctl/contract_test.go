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

// The contract of Client: each case makes changes that succeed, then one that may fail, and compares the table. The
// table in memory and the kernel have the same cases.
var contract = []struct {
	name   string
	before []string
	op     string
	err    error
	after  []string // nil: the table is unchanged
}{
	{
		name:  "add a service",
		op:    "-A -t 10.1.0.1:80 -s wrr",
		after: []string{"-A -t 10.1.0.1:80 -s wrr"},
	},
	{
		name:   "an addition of a service that is there is an edit, which keeps its destinations",
		before: []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m -w 1"},
		op:     "-A -t 10.1.0.1:80 -s rr -p 60",
		after:  []string{"-A -t 10.1.0.1:80 -s rr -p 60", "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m -w 1"},
	},
	{
		name:   "edit scheduler and its flags",
		before: []string{"-A -t 10.1.0.1:80 -s wrr"},
		op:     "-E -t 10.1.0.1:80 -s sh -b sh-fallback,sh-port",
		after:  []string{"-A -t 10.1.0.1:80 -s sh -b sh-fallback,sh-port"},
	},
	{
		name:   "scheduler flags can be taken away",
		before: []string{"-A -t 10.1.0.1:80 -s mh -b mh-fallback,mh-port"},
		op:     "-E -t 10.1.0.1:80 -s mh -b mh-port",
		after:  []string{"-A -t 10.1.0.1:80 -s mh -b mh-port"},
	},
	{
		name:   "persistence with a granularity",
		before: []string{"-A -t 10.1.0.1:80 -s wrr"},
		op:     "-E -t 10.1.0.1:80 -s wrr -p 600 -M 255.255.255.0",
		after:  []string{"-A -t 10.1.0.1:80 -s wrr -p 600 -M 255.255.255.0"},
	},
	{
		name:   "persistence of the longest time",
		before: []string{"-A -t 10.1.0.1:80 -s wrr -p 1"},
		op:     "-E -t 10.1.0.1:80 -s wrr -p 2678400",
		after:  []string{"-A -t 10.1.0.1:80 -s wrr -p 2678400"},
	},
	{
		name:   "persistence can be taken away",
		before: []string{"-A -t 10.1.0.1:80 -s wrr -p 600 -M 255.255.255.0"},
		op:     "-E -t 10.1.0.1:80 -s wrr",
		after:  []string{"-A -t 10.1.0.1:80 -s wrr"},
	},
	{
		name:  "every port, with persistence",
		op:    "-A -t 10.1.0.1:0 -s wrr -p 60",
		after: []string{"-A -t 10.1.0.1:0 -s wrr -p 60"},
	},
	{
		name:  "all clients as one",
		op:    "-A -t 10.1.0.1:80 -s rr -p 60 -M 0.0.0.0",
		after: []string{"-A -t 10.1.0.1:80 -s rr -p 60 -M 0.0.0.0"},
	},
	{
		name:  "IPv6 persistence with a granularity",
		op:    "-A -t [fd00:1::1]:80 -s rr -p 60 -M 64",
		after: []string{"-A -t [fd00:1::1]:80 -s rr -p 60 -M 64"},
	},
	{
		name:   "TCP, UDP and SCTP of one address are three services",
		before: []string{"-A -t 10.1.0.1:80 -s rr", "-A -u 10.1.0.1:80 -s wrr"},
		op:     "-A --sctp-service 10.1.0.1:80 -s lc",
		after: []string{"-A -t 10.1.0.1:80 -s rr", "-A -u 10.1.0.1:80 -s wrr",
			"-A --sctp-service 10.1.0.1:80 -s lc"},
	},
	{
		name:   "a mark is one service in each family",
		before: []string{"-A -f 7 -s rr", "-a -f 7 -r 10.2.0.1:0 -g -w 1", "-A -f 7 -6 -s wlc -p 30"},
		op:     "-a -f 7 -6 -r [fd00:2::1]:0 -g -w 1",
		after: []string{
			"-A -f 7 -s rr", "-a -f 7 -r 10.2.0.1:0 -g -w 1",
			"-A -f 7 -6 -s wlc -p 30", "-a -f 7 -6 -r [fd00:2::1]:0 -g -w 1",
		},
	},
	{
		name:   "a mark goes in one family and stays in the other",
		before: []string{"-A -f 7 -s rr", "-A -f 7 -6 -s rr"},
		op:     "-D -f 7",
		after:  []string{"-A -f 7 -6 -s rr"},
	},
	{
		name:  "the highest mark",
		op:    "-A -f 4294967295 -s rr",
		after: []string{"-A -f 4294967295 -s rr"},
	},
	{
		name:  "one packet at a time, with a persistence engine",
		op:    "-A -u 10.1.0.1:5060 -s rr -p 30 --pe sip -o",
		after: []string{"-A -u 10.1.0.1:5060 -s rr -p 30 --pe sip -o"},
	},
	{
		name:   "the persistence engine can be taken away",
		before: []string{"-A -u 10.1.0.1:5060 -s rr -p 30 --pe sip"},
		op:     "-E -u 10.1.0.1:5060 -s rr -p 30",
		after:  []string{"-A -u 10.1.0.1:5060 -s rr -p 30"},
	},
	{
		name:   "a persistence engine can be given to a service that has none",
		before: []string{"-A -u 10.1.0.1:5060 -s rr -p 30"},
		op:     "-E -u 10.1.0.1:5060 -s rr -p 60 --pe sip",
		after:  []string{"-A -u 10.1.0.1:5060 -s rr -p 60 --pe sip"},
	},
	{
		name:  "a mark of IPv6 with a persistence engine",
		op:    "-A -f 7 -6 -s rr -p 30 -M 64 --pe sip",
		after: []string{"-A -f 7 -6 -s rr -p 30 -M 64 --pe sip"},
	},
	{
		name:   "an edit to an unknown persistence engine leaves the service",
		before: []string{"-A -u 10.1.0.1:5060 -s rr -p 30 --pe sip"},
		op:     "-E -u 10.1.0.1:5060 -s rr -p 30 --pe nope",
		err:    syscall.ENOENT,
	},
	{
		name:  "no scheduler",
		op:    "-A -t 10.1.0.1:80 -s none",
		after: []string{"-A -t 10.1.0.1:80 -s none"},
	},
	{
		name: "a service goes with its destinations",
		before: []string{"-A -t 10.1.0.1:80 -s rr", "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m -w 1",
			"-A -f 1 -s rr"},
		op:    "-D -t 10.1.0.1:80",
		after: []string{"-A -f 1 -s rr"},
	},
	{
		name: "the removal of a service that is gone succeeds",
		op:   "-D -t 10.1.0.1:80",
	},
	{
		name: "an edit of a service that is gone",
		op:   "-E -t 10.1.0.1:80 -s rr",
		err:  syscall.ESRCH,
	},
	{
		name: "an unknown scheduler",
		op:   "-A -t 10.1.0.1:80 -s nope",
		err:  syscall.ENOENT,
	},
	{
		name:   "an edit to an unknown scheduler",
		before: []string{"-A -t 10.1.0.1:80 -s rr"},
		op:     "-E -t 10.1.0.1:80 -s nope",
		err:    syscall.ENOENT,
	},
	{
		name: "a scheduler longer than a name may be",
		op:   "-A -t 10.1.0.1:80 -s sixteen-letters-",
		err:  syscall.EINVAL,
	},
	{
		name: "an unknown persistence engine",
		op:   "-A -t 10.1.0.1:80 -s rr --pe nope",
		err:  syscall.ENOENT,
	},
	{
		name: "persistence of no time",
		op:   "-A -t 10.1.0.1:80 -s rr -p 0",
		err:  syscall.EINVAL,
	},
	{
		name: "persistence of too long a time",
		op:   "-A -t 10.1.0.1:80 -s rr -p 2678401",
		err:  syscall.EINVAL,
	},
	{
		name: "an IPv6 granularity beyond the address",
		op:   "-A -t [fd00:1::1]:80 -s rr -p 60 -M 129",
		err:  syscall.EINVAL,
	},
	{
		name: "every port without persistence",
		op:   "-A -t 10.1.0.1:0 -s rr",
		err:  syscall.EINVAL,
	},
	{
		name: "one packet at a time for TCP",
		op:   "-A -t 10.1.0.1:80 -s rr -o",
		err:  syscall.EINVAL,
	},
	{
		name: "no mark",
		op:   "-A -f 0 -s rr",
		err:  syscall.EINVAL,
	},
	{
		name: "an IPv4 address in the form of IPv6",
		op:   "-A -t [::ffff:10.1.0.1]:80 -s rr",
		err:  syscall.EINVAL,
	},
	{
		name:   "masquerading to another port, with thresholds",
		before: []string{"-A -t 10.1.0.1:80 -s wrr"},
		op:     "-a -t 10.1.0.1:80 -r 10.2.0.1:8080 -m -w 5 -x 100 -y 20",
		after:  []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r 10.2.0.1:8080 -m -w 5 -x 100 -y 20"},
	},
	{
		name:   "two ports of one server",
		before: []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r 10.2.0.1:8080 -m -w 1"},
		op:     "-a -t 10.1.0.1:80 -r 10.2.0.1:8081 -m -w 1",
		after: []string{
			"-A -t 10.1.0.1:80 -s wrr",
			"-a -t 10.1.0.1:80 -r 10.2.0.1:8080 -m -w 1", "-a -t 10.1.0.1:80 -r 10.2.0.1:8081 -m -w 1",
		},
	},
	{
		name:   "a weight beyond 16 bits",
		before: []string{"-A -t 10.1.0.1:80 -s wrr"},
		op:     "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 70000",
		after:  []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 70000"},
	},
	{
		name:   "the highest weight",
		before: []string{"-A -t 10.1.0.1:80 -s wrr"},
		op:     "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 2147483647",
		after:  []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 2147483647"},
	},
	{
		name:   "an addition of a destination that is there is an edit",
		before: []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 1"},
		op:     "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m -w 2",
		after:  []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -m -w 2"},
	},
	{
		name:   "edit method, weight and thresholds",
		before: []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 1 -x 9 -y 3"},
		op:     "-e -t 10.1.0.1:80 -r 10.2.0.1:80 -i -w 0",
		after:  []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -i -w 0"},
	},
	{
		name: "tunnels of each kind",
		before: []string{"-A -t 10.1.0.1:80 -s wrr",
			"-a -t 10.1.0.1:80 -r 10.2.0.1:80 -i -w 1 --tun-type gre --tun-csum"},
		op: "-a -t 10.1.0.1:80 -r 10.2.0.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum",
		after: []string{
			"-A -t 10.1.0.1:80 -s wrr",
			"-a -t 10.1.0.1:80 -r 10.2.0.1:80 -i -w 1 --tun-type gre --tun-csum",
			"-a -t 10.1.0.1:80 -r 10.2.0.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum",
		},
	},
	{
		name: "a new weight leaves the tunnel as it is",
		before: []string{
			"-A -t 10.1.0.1:80 -s wrr",
			"-a -t 10.1.0.1:80 -r 10.2.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum",
		},
		op: "-e -t 10.1.0.1:80 -r 10.2.0.1:80 -i -w 2 --tun-type gue --tun-port 6080 --tun-nocsum",
		after: []string{
			"-A -t 10.1.0.1:80 -s wrr",
			"-a -t 10.1.0.1:80 -r 10.2.0.1:80 -i -w 2 --tun-type gue --tun-port 6080 --tun-nocsum",
		},
	},
	{
		name:   "a tunnel to a server of the other family",
		before: []string{"-A -t [fd00:1::1]:80 -s wrr"},
		op:     "-a -t [fd00:1::1]:80 -r 10.2.0.1:80 -i -w 1",
		after:  []string{"-A -t [fd00:1::1]:80 -s wrr", "-a -t [fd00:1::1]:80 -r 10.2.0.1:80 -i -w 1"},
	},
	{
		name:   "a server of the other family can be edited",
		before: []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r [fd00:2::1]:80 -i -w 1"},
		op:     "-e -t 10.1.0.1:80 -r [fd00:2::1]:80 -i -w 3",
		after:  []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r [fd00:2::1]:80 -i -w 3"},
	},
	{
		name:   "a server of the other family can be removed",
		before: []string{"-A -t 10.1.0.1:80 -s wrr", "-a -t 10.1.0.1:80 -r [fd00:2::1]:80 -i -w 1"},
		op:     "-d -t 10.1.0.1:80 -r [fd00:2::1]:80",
		after:  []string{"-A -t 10.1.0.1:80 -s wrr"},
	},
	{
		name:   "a server of the other family without a tunnel",
		before: []string{"-A -t [fd00:1::1]:80 -s wrr"},
		op:     "-a -t [fd00:1::1]:80 -r 10.2.0.1:80 -m -w 1",
		err:    syscall.EINVAL,
	},
	{
		name:   "remove a destination",
		before: []string{"-A -f 7 -s wrr", "-a -f 7 -r 10.2.0.1:0 -g -w 1", "-a -f 7 -r 10.2.0.2:0 -g -w 1"},
		op:     "-d -f 7 -r 10.2.0.1:0",
		after:  []string{"-A -f 7 -s wrr", "-a -f 7 -r 10.2.0.2:0 -g -w 1"},
	},
	{
		name:   "the removal of a destination that is gone",
		before: []string{"-A -t 10.1.0.1:80 -s wrr"},
		op:     "-d -t 10.1.0.1:80 -r 10.2.0.1:80",
		err:    syscall.ENOENT,
	},
	{
		name: "the removal of a destination whose service is gone",
		op:   "-d -t 10.1.0.1:80 -r 10.2.0.1:80",
		err:  syscall.ESRCH,
	},
	{
		name: "a destination for a service that is gone",
		op:   "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 1",
		err:  syscall.ESRCH,
	},
	{
		name:   "an edit of a destination that is gone",
		before: []string{"-A -t 10.1.0.1:80 -s wrr"},
		op:     "-e -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 1",
		err:    syscall.ENOENT,
	},
	{
		name:   "a weight that is no weight",
		before: []string{"-A -t 10.1.0.1:80 -s wrr"},
		op:     "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 2147483648",
		err:    syscall.ERANGE,
	},
	{
		name:   "a lower threshold above the upper one",
		before: []string{"-A -t 10.1.0.1:80 -s wrr"},
		op:     "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 1 -x 10 -y 20",
		err:    syscall.ERANGE,
	},
	{
		name:   "a destination that is not one host",
		before: []string{"-A -t 10.1.0.1:80 -s wrr"},
		op:     "-a -t 10.1.0.1:80 -r 224.0.0.1:80 -g -w 1",
		err:    syscall.EINVAL,
	},
	{
		name:   "encapsulation without a tunnel",
		before: []string{"-A -t 10.1.0.1:80 -s wrr"},
		op:     "-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 1 --tun-type gre --tun-csum",
		err:    syscall.EINVAL,
	},
}

// testContract runs the cases of the contract; open makes an empty table.
func testContract(t *testing.T, open func(*testing.T) Client) {
	for _, c := range contract {
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
			after := c.after
			if after == nil {
				after = c.before
			}
			table := apply(t, client)
			testkit.Equal(t, lvs.Format(table), text(after))
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
			if !errors.Is(err, wrong[i]) {
				t.Errorf("%s: got %v, want %v", ops[i], err, wrong[i])
			}
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
			if want := []error{syscall.ENOENT, syscall.ENOENT, syscall.ESRCH}[i%3]; !errors.Is(err, want) {
				t.Fatalf("%d: %s: got %v, want %v", i, gone[i], err, want)
			}
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
		"kind":                   func(op *lvs.Op) { op.Kind = lvs.DelDest + 1 },
		"protocol":               func(op *lvs.Op) { op.Key.Protocol = 1 },
		"address with a mark":    func(op *lvs.Op) { op.Key.Mark = 1 },
		"mark with an address":   func(op *lvs.Op) { op.Key.Protocol, op.Key.Mark = lvs.Mark, 1 },
		"family":                 func(op *lvs.Op) { op.Key.IPv6 = true },
		"no address":             func(op *lvs.Op) { op.Key.Addr = netip.AddrPort{} },
		"zone":                   func(op *lvs.Op) { op.Key.Addr, op.Key.IPv6, op.Dest.Forward = zoned, true, lvs.Tunnel },
		"no destination address": func(op *lvs.Op) { op.Dest.Addr = netip.AddrPort{} },
		"removal of no address":  func(op *lvs.Op) { op.Kind, op.Dest.Addr = lvs.DelDest, netip.AddrPort{} },
		"method":                 func(op *lvs.Op) { op.Dest.Forward = lvs.Route + 1 },
	} {
		op := good
		spoil(&op)
		m := NewMemory(tableOf(t, "-A -t 10.1.0.1:80 -s rr"))
		if err := m.Do(context.Background(), op)[0]; !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: got %v, want EINVAL", name, err)
		}
	}
}

// Each limit itself is allowed; the next value is not.
func TestLimitsOfSettings(t *testing.T) {
	name := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		what    string
		line    string
		set     func(s *lvs.Settings, n int)
		allowed int
		refused int
	}{
		{"scheduler", "-A -t 10.1.0.1:80 -s rr", func(s *lvs.Settings, n int) { s.Scheduler = name(n) }, 15, 16},
		{"engine", "-A -t 10.1.0.1:80 -s rr", func(s *lvs.Settings, n int) { s.PEName = name(n) }, 15, 16},
		{"timeout", "-A -t 10.1.0.1:80 -s rr -p 1", func(s *lvs.Settings, n int) { s.Timeout = uint32(n) }, 2678400,
			2678401},
		{"no timeout", "-A -t 10.1.0.1:80 -s rr -p 1", func(s *lvs.Settings, n int) { s.Timeout = uint32(n) }, 1,
			0},
		{"prefix", "-A -t [fd00::1]:80 -s rr -p 1", func(s *lvs.Settings, n int) { s.Netmask = uint32(n) }, 128,
			129},
		{"no prefix", "-A -t [fd00::1]:80 -s rr -p 1", func(s *lvs.Settings, n int) { s.Netmask = uint32(n) }, 1,
			0},
	} {
		op := parseOp(t, c.line)
		if c.set(&op.Settings, c.allowed); Check(op) != nil {
			t.Errorf("%s: %d: %v", c.what, c.allowed, Check(op))
		}
		if c.set(&op.Settings, c.refused); !errors.Is(Check(op), syscall.EINVAL) {
			t.Errorf("%s: %d: %v, want EINVAL", c.what, c.refused, Check(op))
		}
	}
}

func TestErrorsSayWhatWasAskedAndWhatItMayBe(t *testing.T) {
	m := NewMemory(tableOf(t, "-A -f 1 -s rr"))
	for line, want := range map[string]string{
		"-A -f 2 -s wombat":                         `ipvs -A -f 2 -s wombat: no such file or directory (the kernel lacks module ip_vs_wombat)`,
		"-A -f 2 -s rr --pe radio":                  `ipvs -A -f 2 -s rr --pe radio: no such file or directory (the kernel lacks module ip_vs_pe_radio)`,
		"-A -f 2 -s wombat --pe sip":                `ipvs -A -f 2 -s wombat --pe sip: no such file or directory (the kernel lacks module ip_vs_wombat)`,
		"-A -f 2 -s wombat --pe radio":              `ipvs -A -f 2 -s wombat --pe radio: no such file or directory (the kernel lacks module ip_vs_wombat or ip_vs_pe_radio)`,
		"-e -f 1 -r 10.2.0.1:0 -g -w 1":             `ipvs -e -f 1 -r 10.2.0.1:0 -g -w 1: no such file or directory (the destination is not in the table)`,
		"-e -f 2 -r 10.2.0.1:0 -g -w 1":             `ipvs -e -f 2 -r 10.2.0.1:0 -g -w 1: no such process (the virtual service is not in the table)`,
		"-a -f 1 -r 10.2.0.1:0 -g -w 1 -x 10 -y 20": `ipvs -a -f 1 -r 10.2.0.1:0 -g -w 1 -x 10 -y 20: lower threshold 20 above the upper one, 10: numerical result out of range`,
	} {
		if err := m.Do(context.Background(), parseOp(t, line))[0]; err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
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
