package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ldirectord/checker/icmp"
	"ldirectord/internal/daemon"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// plan --each plays each server with the virtual services that have it alone, though an announced address depends on
// more: otherwise a large file takes minutes.
func TestEachPlaysNoOtherServices(t *testing.T) {
	work := func(line string) float64 {
		text := ""
		for n := range 40 {
			text += fmt.Sprintf("virtual = 10.1.0.%d:80\n\treal = 10.2.0.%[1]d:80 gate\n"+
				"\tchecktype = connect\n%s", n, line)
		}
		path := filepath.Join(t.TempDir(), "ld.cf")
		testkit.Write(t, path, text)
		argv := []string{"ldirectord", "--rundir", t.TempDir(), "--ipvs", "memory", path, "plan", "--each"}
		return testing.AllocsPerRun(1, func() {
			testkit.Equal(t, runCommand(t.Context(), argv, io.Discard, io.Discard, nil), exitChanges)
		})
	}
	if plain, announced := work(""), work("\tannounce = lo\n"); announced > 6*plain {
		t.Errorf("%.0f allocations with announce, %.0f without", announced, plain)
	}
}

// --running takes out what is out of service although it does not fail, as an order would.
func TestWhatIsOutWithoutAnOrder(t *testing.T) {
	for text, want := range map[string]orders.Kind{
		`{"state": "up", "table_weight": 1}`: "", `{"state": "up", "table_weight": 0}`: "",
		`{"state": "maintenance"}`: orders.Maint, `{"state": "drained"}`: orders.Drain,
		`{"state": "up", "changed_by_hand": true}`:                    orders.Drain,
		`{"state": "up", "changed_by_hand": true, "table_weight": 0}`: orders.Drain,
		`{"state": "up", "changed_by_hand": true, "table_weight": 2}`: "",
		`{"state": "off", "changed_by_hand": true}`:                   "",
	} {
		s := &view.Server{}
		testkit.OK(t, json.Unmarshal([]byte(text), s), text)
		testkit.Equal(t, outBy(s), want, text)
	}
}

// plan removes from the table what the daemon has and the file no longer has, and nothing of others.
func TestWhatLeavesTheFileIsRemoved(t *testing.T) {
	d := launched(t, "start", twoServers+"virtual = 10.1.0.2:7000\n\treal = 10.2.0.1:7000 gate\n\tchecktype = on\n")
	d.replace(twoServers)
	c := &call{options: *d.options(), ctx: t.Context(), env: daemon.NewEnvironment(icmp.NewPinger())}
	defer c.env.Close()
	testkit.OK(t, c.read())
	had := c.instance().NotOthers(c.found().State.Virtuals)
	have := c.Plan.Preview(nil, nil)
	for _, v := range []string{"10.1.0.2:7000", "10.1.0.3:7000"} {
		key := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort(v)}
		have[key] = lvs.VirtualService{Key: key}
	}
	testkit.Equal(t, fmt.Sprint(c.tableChanges(nil, have, had)), "[-D -t 10.1.0.2:7000]")
}

// When each change to the table is made: what leaves the file may drain, what comes back waits for its checks.
func TestWhenChangesAreMade(t *testing.T) {
	web := lvs.Key{Protocol: lvs.TCP, Addr: netip.MustParseAddrPort("10.1.0.1:80")}
	for _, row := range testkit.Table(t, "testdata/plan.txt", 4) {
		path := filepath.Join(t.TempDir(), "ld.cf")
		testkit.Write(t, path, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = on\n"+
			"\tfallback = 10.2.0.9:80 gate\n\t"+row[0]+"\n")
		c := &call{options: options{path: path}, ctx: t.Context(), env: daemon.NewEnvironment(icmp.NewPinger())}
		testkit.OK(t, c.read())
		c.env.Close()
		have := c.Plan.Preview(nil, nil)
		service := have[web]
		service.Dests = nil
		for word := range strings.FieldsSeq(row[1]) {
			addr, weight, _ := strings.Cut(word, "=")
			service.Dests = append(service.Dests, lvs.Dest{Addr: netip.MustParseAddrPort(addr + ":80"),
				Forward: lvs.Route, Weight: uint32(testkit.Must(strconv.Atoi(weight))(t))})
		}
		have[web] = service
		var had []lvs.Key
		if row[2] == "runs" {
			had = c.Plan.Keys()
		}
		text := ""
		for _, one := range c.planned(c.tableChanges(nil, have, had), had) {
			text += strings.TrimSuffix("; "+one.Command+" # "+one.When, " # ")
		}
		short := strings.NewReplacer(" -t 10.1.0.1:80 -r", "", ":80", "")
		testkit.Equal(t, short.Replace(strings.TrimPrefix(text, "; ")), row[3], row[0])
	}
}
