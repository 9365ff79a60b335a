package status

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/director"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// reported is what each output says of the only virtual service of a file after ten seconds, and the table that it is
// about.
type reported struct {
	text, why, object, metrics string
	trouble                    Trouble
	table                      lvs.Table
}

func tell(t *testing.T, config string, given orders.All, standby bool) (all reported) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		table := ipvsctl.NewMemory(nil)
		d := director.New(director.Deps{Table: table, World: core.World{Orders: given, Standby: standby}})
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- d.Run(ctx, planOf(t,
				[]byte("checkinterval = 1\nvirtual = 192.0.2.10:80\n\tchecktype = connect\n\t"+
					strings.ReplaceAll(config, "\n", "\n\t"))))
		}()
		time.Sleep(10 * time.Second)
		now, err := d.Snapshot(ctx)
		past, err2 := d.Why(ctx, "", "")
		have, err3 := table.Read(ctx)
		testkit.OK(t, errors.Join(err, err2, err3))
		report := NewReport(now, process(), nil)
		all = reported{shown(t, report), explained(t, NewWhy(past, now.Time, nil)),
			object(t, report.Virtuals[0]), metricsOf(t, now),
			report.Virtuals[0].Trouble(), have}
		end()
		testkit.OK(t, <-ended)
		time.Sleep(time.Minute) // checks in flight end
	})
	return all
}

// Where no destination of the table has a weight, clients get nothing, and every output says so, whatever the servers'
// checks find; where one has, none does. Server 22 fails, the others pass.
func TestAnOutageIsTold(t *testing.T) {
	const none, stays = "and there is no fallback",
		"and the fallback stays out: clients get nothing the servers that pass have weight 0, which keeps a " +
			"fallback out"
	drained := orders.All{{Virtual: "tcp:192.0.2.10:80", Real: "192.0.2.21:80"}: {Kind: orders.Drain}}
	for name, c := range map[string]struct {
		config  string
		orders  orders.All
		serving int
		why     string // why clients get nothing; "" if they get something
	}{
		"one serves": {config: "real = 192.0.2.21:80 gate\nreal = 192.0.2.22:80 gate",
			serving: 1},
		"one with weight, one fails": {"real = 192.0.2.21:80 gate 0\nreal = 192.0.2.22:80 gate\n" +
			"fallback = 127.0.0.1:80", nil, 0, stays},
		"all have weight 0": {"real = 192.0.2.21:80 gate 0\nreal = 192.0.2.23:80 gate 0\n" +
			"fallback = 127.0.0.1:80", nil, 0, stays},
		"weight 0, no fallback": {"real = 192.0.2.21:80 gate 0", nil, 0, none +
			": clients get nothing the servers that pass have weight 0"},
		"quiescent, all fail": {"real = 192.0.2.22:80 gate\nquiescent = yes", nil, 0, none},
		"the fallback serves": {config: "real = 192.0.2.22:80 gate\nfallback = 127.0.0.1:80"},
		"drained, with a fallback": {config: "real = 192.0.2.21:80 gate\nfallback = 127.0.0.1:80",
			orders: drained},
		"weight 0, another by order": {config: "real = 192.0.2.21:80 gate 0",
			orders: orders.All{{Virtual: "tcp:192.0.2.10:80", Real: "192.0.2.21:80"}: {Kind: orders.Weigh,
				Weight: 5}}, serving: 1},
		"drained": {"real = 192.0.2.21:80 gate", drained, 0, none},
		"a backup serves": {config: "real = 192.0.2.22:80 gate\nbackup = 192.0.2.23:80 gate",
			serving: 1},
		"off": {config: "real = 192.0.2.21:80 gate\nchecktype = off"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tell(t, c.config, c.orders, false)
			for _, service := range got.table {
				if serves := service.Dests.Serve(); name != "off" && serves != (c.why == "") {
					t.Errorf("the table serves: %t", serves)
				}
			}
			isTold := strings.Contains(strings.Join(strings.Fields(got.text), " "), "no server serves, "+
				c.why)
			inWhy := strings.Contains(got.why, "clients get nothing")
			inObject := strings.Contains(got.object, `"serves_nothing":true`)
			if want := c.why != ""; isTold != want || inWhy != want || inObject != want || want &&
				got.trouble != Broken {
				t.Errorf("status %t, why %t, JSON %t, want %t; trouble %d\n%s", isTold, inWhy, inObject,
					want, got.trouble, got.text)
			}
			for what, is := range map[string]bool{
				"the first word": strings.HasPrefix(got.text, "serving") == (c.serving > 0),
				"JSON serving":   strings.Contains(got.object, fmt.Sprintf(`"serving":%d,`, c.serving)),
				"the metric": strings.Contains(got.metrics,
					fmt.Sprintf("\nldirectord_virtual_serving{virtual=\"tcp:192.0.2.10:80\"} %d\n",
						c.serving)) != (name == "off"),
				"the summary": strings.Contains(got.text, ": 1 without a server") == (c.serving == 0 &&
					name != "off"),
			} {
				if !is {
					t.Errorf("%s is wrong, %d serve:\n%s\n%s", what, c.serving, got.text,
						got.object)
				}
			}
		})
	}
}

// A director that stands by judges by the checks alone, and says nothing of an outage.
func TestAnOutageIsNotToldStandingBy(t *testing.T) {
	got := tell(t, "real = 192.0.2.21:80 gate 0\nreal = 192.0.2.23:80 gate", nil, true)
	if strings.Contains(got.text, "clients get nothing") || !strings.Contains(got.object, `"serving":1,`) {
		t.Errorf("%s\n%s", got.text, got.object)
	}
}

// A drained server is so since its order, even if the daemon is younger than that.
func TestTheStateIsAsOldAsItsOrder(t *testing.T) {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of the fake time
	for since, want := range map[time.Time]string{began.Add(-time.Hour): "1h0m", {}: "10s"} {
		got := tell(t, "real = 192.0.2.21:80 gate\nreal = 192.0.2.23:80 gate", orders.All{
			{Virtual: "tcp:192.0.2.10:80", Real: "192.0.2.21:80"}: {Kind: orders.Drain, By: "root",
				Since: since}}, false)
		_, line, _ := strings.Cut(got.text, "  192.0.2.21:80         drained")
		reported := "\n    order: drain by root" +
			map[bool]string{false: since.Local().Format(" since Jan 02 15:04")}[since.IsZero()]
		if fields := strings.Fields(line); !strings.HasPrefix(fields[0], want) ||
			!strings.Contains(line, reported+"\n") {
			t.Errorf("want %s and %s in\n%s", want, reported, got.text)
		}
	}
}

// A reason that several servers have is there once, with their number, and what is ill comes first.
func TestAReasonIsToldOnce(t *testing.T) {
	s := observed(t)
	same := s.Virtuals[0].Servers[1]
	s.Virtuals[2].Servers = append(s.Virtuals[2].Servers, same, same)
	s.Virtuals[1].Servers = append(s.Virtuals[1].Servers, same)
	text := shown(t, NewReport(s, process(), nil))
	_, after, _ := strings.Cut(text, "tcp:192.0.2.11:443")
	web, _, _ := strings.Cut(after, "\ntcp:")
	_, after, _ = strings.Cut(text, "tcp:192.0.2.12:25")
	mail, _, _ := strings.Cut(after, "\ntcp:")
	if strings.Count(web, "body does not match") != 1 || !strings.Contains(web, "    all: body does not match") ||
		strings.Count(mail, "body does not match") != 1 ||
		!strings.Contains(mail, "    2 servers: body does not match") ||
		strings.Index(mail, "down") > strings.Index(mail, "  up ") {
		t.Errorf("%s\n%s", web, mail)
	}
}
