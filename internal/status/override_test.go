package status

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/director"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// overridden is a service in which everything was changed: 192.0.2.22 is down and drained, 192.0.2.25 was never
// checked and was removed by hand, the fallback server has another weight, and another server was added by hand.
const overridden = `checkinterval = 2
virtual = 192.0.2.10:80
	real = 192.0.2.22:80 gate
	real = 192.0.2.25:80 gate
	fallback = 127.0.0.1:80
	checktype = connect
virtual = 192.0.2.11:80
	real = 192.0.2.22:80 gate
	fallback = 127.0.0.1:80
	checktype = connect
`

// The status for people and that for programs show all changes by hand and all orders.
func TestEveryOverrideShows(t *testing.T) {
	inUTC(t)
	synctest.Test(t, func(t *testing.T) {
		web, other := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("192.0.2.10:80")},
			lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("192.0.2.11:80")}
		table := ipvsctl.NewMemory(nil)
		hand := func(kind lvs.OpKind, key lvs.Key, addr string, weight uint32) {
			op := lvs.Op{Kind: kind, Key: key, Settings: lvs.Settings{Scheduler: "wrr",
				Netmask: 0xffffffff}, Dest: lvs.Dest{Addr: netip.MustParseAddrPort(addr),
				Forward: lvs.Route, Weight: weight}}
			testkit.OK(t, table.Do(t.Context(), op)[0])
		}
		hand(lvs.AddService, web, "0.0.0.0:0", 0)
		hand(lvs.AddDest, web, "192.0.2.25:80", 0)
		journal := notify.NewJournal()
		until := testkit.Time("2000-01-01T06:00:00Z")
		d := director.New(director.Deps{
			Table: table, World: core.World{
				Tell: []core.Receiver{core.Words(journal.Emit)}, Orders: orders.All{
					{Virtual: "tcp:192.0.2.10:80", Real: "192.0.2.22:80"}: {Kind: orders.Drain},
					{Virtual: "tcp:192.0.2.11:80", Real: "192.0.2.22:80"}: {Kind: orders.Weigh,
						Weight: 7,
						Why:    "new disk", By: "kim", Until: until},
					{Virtual: "tcp:192.0.2.11:80", Real: "192.0.2.29:80"}: {Kind: orders.Maint,
						Why: "sold"},
				},
			},
		})
		ctx, stop := running(t, d, []byte(overridden))
		time.Sleep(10 * time.Second)
		hand(lvs.DelDest, web, "192.0.2.25:80", 0)
		hand(lvs.AddDest, web, "192.0.2.99:80", 3)
		hand(lvs.EditDest, other, "127.0.0.1:80", 5)
		time.Sleep(10 * time.Second)
		forms(t, "overridden", testkit.Must(d.Snapshot(ctx))(t), process())
		stop()
		testkit.OK(t, journal.Close(context.Background()))
	})
}
