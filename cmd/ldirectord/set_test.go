package main

import (
	"bufio"
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/daemon"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/printable"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// emptying is a table with one destination. At a given time, its connections end and no further packets arrive.
type emptying struct {
	*ipvsctl.Memory
	at   time.Time
	addr netip.AddrPort
}

func (e emptying) Services(_ context.Context, keys ...lvs.Key) (lvs.Table, error) {
	carries := lvs.Counters{}
	if left := time.Until(e.at); left > 0 {
		carries.Active, carries.Traffic.PacketsIn = 1, uint64(left)
	}
	return lvs.Table{keys[0]: {Counters: map[netip.AddrPort]lvs.Counters{e.addr: carries}}}, nil
}

// --wait reads the connections of servers from the kernel's table. A table in memory has none, so it is not read.
func TestWaitLooksAtTheTableThatCarries(t *testing.T) {
	memory := testkit.Must(ipvsctl.Open("memory"))(t)
	asked := func(lvs.Table) bool { t.Error("a table in memory was looked at"); return true }
	if err := awaitCarried(&call{ctx: t.Context(), options: options{table: memory}}, nil, "", asked); err != nil {
		t.Errorf("in memory: %v", err)
	}
	server := daemon.OrderedServer{Key: lvs.Key{Protocol: lvs.Mark, Mark: 1},
		Addr: netip.MustParseAddrPort("192.0.2.1:80")}
	for after, want := range map[time.Duration]string{3 * time.Second: "",
		time.Minute: "connections are left after 10s"} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			table := emptying{ipvsctl.NewMemory(nil), began.Add(after), server.Addr}
			c := &call{ctx: t.Context(),
				options: options{table: ipvsctl.Access{Client: table, Live: table},
					ordering: ordering{Timeout: 10 * time.Second}}}
			text := ""
			if err := awaitCarried(c, []lvs.Key{server.Key}, "connections are left",
				idle([]daemon.OrderedServer{server})); err != nil {
				text = err.Error()
			}
			if took := time.Since(began); text != want || took < min(after, c.Timeout) ||
				took > min(after, c.Timeout)+idleInterval {
				t.Errorf("connections end after %v: %q after %v", after, text, took)
			}
		})
	}
}

// An address that withdraw leaves alone is an error, after the wait for the others. Packets to a destination that is no
// server of the file delay its end.
func TestWithdrawBesideAForeignAddress(t *testing.T) {
	every, one := daemon.OrderedServer{Backend: lvs.At(orders.EveryAddress, "")},
		daemon.OrderedServer{Backend: lvs.At("192.0.2.10", "")}
	other := []lvs.Key{{Protocol: lvs.Mark, Mark: 1}}
	for _, answer := range []daemon.SetAnswer{{Servers: []daemon.OrderedServer{every}, Services: other},
		{Servers: []daemon.OrderedServer{every}}, {Servers: []daemon.OrderedServer{one}}} {
		synctest.Test(t, func(t *testing.T) {
			var out strings.Builder
			raw, began, said, want := bufio.NewWriter(&out), time.Now(), "", time.Duration(0)
			table := emptying{Memory: ipvsctl.NewMemory(nil), at: began.Add(2 * time.Second)}
			c := &call{ctx: t.Context(), output: output{out: printable.Writer{To: raw}, raw: raw},
				options: options{table: ipvsctl.Access{Client: table, Live: table},
					ordering: ordering{Wait: true, Timeout: time.Minute}}}
			answer.Left = []string{"192.0.2.10 is on lvs0"}
			if len(answer.Services) > 0 {
				said, want = "every other address is withdrawn\n", 2*time.Second+quietTime
			}
			withdraw := orders.Request{Order: orders.Order{Kind: orders.Withdraw}}
			tellOrdered(c, withdraw, answer)
			err := awaitOrdered(c, withdraw, answer)
			c.flush()
			testkit.FailsWith(t, err, "the order is recorded, but 192.0.2.10 is on lvs0", answer)
			testkit.Equal(t, out.String(), said, answer)
			testkit.Equal(t, time.Since(began).Round(time.Second), want, answer)
		})
	}
}
