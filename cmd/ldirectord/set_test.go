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

// emptying is a table with one server, whose connections end at a given time.
type emptying struct {
	*ipvsctl.Memory
	at   time.Time
	addr netip.AddrPort
}

func (e emptying) Services(_ context.Context, keys ...lvs.Key) (lvs.Table, error) {
	carries := lvs.Counters{}
	if time.Now().Before(e.at) {
		carries.Active = 1
	}
	return lvs.Table{keys[0]: {Counters: map[netip.AddrPort]lvs.Counters{e.addr: carries}}}, nil
}

// --wait reads the connections of servers from the kernel's table. A table in memory has none, so it is not read.
func TestWaitLooksAtTheTableThatCarries(t *testing.T) {
	idle := func(carry lvs.Counters) bool { return carry.Active == 0 }
	memory := testkit.Must(ipvsctl.Open("memory"))(t)
	asked := func(lvs.Counters) bool { t.Error("a table in memory was looked at"); return true }
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
			if err := awaitCarried(c, []daemon.OrderedServer{server}, "connections are left",
				idle); err != nil {
				text = err.Error()
			}
			if took := time.Since(began); text != want || took < min(after, c.Timeout) ||
				took > min(after, c.Timeout)+idleInterval {
				t.Errorf("connections end after %v: %q after %v", after, text, took)
			}
		})
	}
}

// An address that withdraw leaves alone is an error, after the wait for the others.
func TestWithdrawBesideAForeignAddress(t *testing.T) {
	every, one := daemon.OrderedServer{Backend: lvs.At(orders.EveryAddress, "")},
		daemon.OrderedServer{Backend: lvs.At("192.0.2.10", "")}
	other := daemon.OrderedServer{Backend: lvs.At("fwm:1", "192.0.2.1:80"),
		Key: lvs.Key{Protocol: lvs.Mark, Mark: 1}}
	for _, ordered := range [][]daemon.OrderedServer{{every, other}, {every}, {one}} {
		synctest.Test(t, func(t *testing.T) {
			var out strings.Builder
			raw, began, said, want := bufio.NewWriter(&out), time.Now(), "", time.Duration(0)
			table := emptying{Memory: ipvsctl.NewMemory(nil)}
			c := &call{ctx: t.Context(), output: output{out: printable.Writer{To: raw}, raw: raw},
				options: options{table: ipvsctl.Access{Client: table, Live: table},
					ordering: ordering{Wait: true, Timeout: time.Minute}}}
			answer := daemon.SetAnswer{Left: []string{"192.0.2.10 is on lvs0"}, Servers: ordered}
			if len(ordered) > 1 {
				said, want = "every other address is withdrawn\n", quietTime
			}
			withdraw := orders.Request{Order: orders.Order{Kind: orders.Withdraw}}
			tellOrdered(c, withdraw, answer)
			err := awaitOrdered(c, withdraw, answer)
			c.flush()
			testkit.FailsWith(t, err, "the order is recorded, but 192.0.2.10 is on lvs0", ordered)
			testkit.Equal(t, out.String(), said, ordered)
			testkit.Equal(t, time.Since(began).Round(time.Second), want, ordered)
		})
	}
}
