package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/director"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

func hello() *http.ServeMux {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello")) })
	return routes
}

const awaitLimit = 10 * time.Second

func TestAnAddressThatIsTakenIsToldOnceAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := testkit.Must(net.Listen("tcp4", "0.0.0.0:0"))(t)
		addr := netip.MustParseAddrPort(taken.Addr().String())
		said := make(chan notify.Event, 10)
		journal := notify.NewJournal(func(e notify.Event) { said <- e })
		defer journal.Close(context.WithoutCancel(t.Context()))
		d := &daemon{channels: channels{journal: journal}}
		m := &metricsServer{d: d, end: func() {}, handler: hello()}
		ctx, cancel := context.WithCancel(t.Context())
		m.follow(ctx, parser.Global{Listen: addr})
		failed := <-said
		testkit.Equal(t, failed.Kind, notify.ListenFailed)
		testkit.Contains(t, failed.Text, addr.String())
		testkit.Contains(t, failed.Text, "address already in use")
		time.Sleep(10 * listenRetry)
		taken.Close()
		if e := <-said; e.Kind != notify.Listening || e.Key != failed.Key {
			t.Errorf("%+v", e)
		}
		_, text := testkit.Fetch(t, "http://"+addr.String()+"/hello")
		testkit.Equal(t, text, "hello")
		if c, err := net.Dial("tcp", fmt.Sprintf("[::1]:%d", addr.Port())); err == nil {
			c.Close()
			t.Error("with an IPv4 address it listens on IPv6")
		}
		cancel()
		m.end()
		if c, err := net.Dial("tcp", addr.String()); err == nil {
			c.Close()
			t.Error("it listens after its end")
		}
	})
}

// An address that is taken is no failure any more when the file no longer has it.
func TestAnAddressThatIsGivenUpIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken := testkit.Listen(t)
		d := counted()
		defer d.journal.Close(context.WithoutCancel(t.Context()))
		m := &metricsServer{d: d, end: func() {}}
		for want, address := range []string{"", taken.Addr().String(), ""} {
			addr, _ := netip.ParseAddrPort(address)
			m.follow(t.Context(), parser.Global{Listen: addr})
			time.Sleep(listenRetry)
			testkit.Equal(t, len(d.tally.process().Failures), want%2, "with", address)
		}
	})
}

// Probes, cluster managers and orders ask often. Their answers must not cost a copy of all servers.
func TestQuestionsThatCopyNoServers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ld.cf")
	text := "logfile = \"" + file + ".log\"\n"
	for i := range 10 {
		text += fmt.Sprintf("virtual = 10.1.0.%d:80\n\tchecktype = on\n"+
			"\treal = 10.2.%[1]d.1->10.2.%[1]d.200:80 gate\n", i+1)
	}
	testkit.Write(t, file, text)
	synctest.Test(t, func(t *testing.T) {
		d, endRest := loadedDaemon(t, file)
		d.director = director.New(director.Deps{Table: ipvsctl.NewMemory(nil)})
		ctx, end := context.WithCancel(t.Context())
		go d.director.Run(ctx, d.Loaded.Plan)
		<-d.director.Settled()
		synctest.Wait()
		d.orders.d = d
		serves := []lvs.Backend{lvs.At("tcp:10.1.0.2:80", "10.2.2.7:80")}
		for what, ask := range map[string]func() error{
			"drain": func() error {
				testkit.FailsWith(t, d.orders.isOut(ctx, serves), "10.2.2.7:80 still gets new")
				return nil
			},
			"lacking": func() error { return testkit.Error(d.director.Lacking(ctx)) },
			"healthz": func() error { return d.director.Answers(ctx) },
		} {
			if took := testkit.Taken(func() { testkit.OK(t, ask()) }); took > 500_000 {
				t.Errorf("%s takes %d bytes", what, took)
			}
		}
		end()
		endRest()
	})
}

func TestWhatIsNotReady(t *testing.T) {
	virtuals := []view.Virtual{{ID: "tcp:10.1.0.1:80"}, {ID: "tcp:10.1.0.2:80", Error: "no such module"}}
	for want, now := range map[string]view.Snapshot{
		"":                         {Virtuals: []view.Virtual{virtuals[0], {Nothing: true}}},
		"standing by":              {Standby: true, Virtuals: virtuals},
		"the table can't be read":  {Unread: "permission denied"},
		"mark rules can't be set":  {Virtuals: virtuals[:1], Marks: "no iptables"},
		"refuses tcp:10.1.0.2:80:": {Virtuals: virtuals},
		"no virtual service is served: clients get nothing": {Virtuals: []view.Virtual{{Nothing: true}}},
	} {
		testkit.OKOr(t, unready(&now), want)
	}
}
