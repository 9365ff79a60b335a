package director

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/checker/wire"
	"ldirectord/history"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/notify"
	"ldirectord/notify/monitorfile"
	"ldirectord/parser"
	"ldirectord/plan"
	"ldirectord/view"
)

// ran are the commands that were run.
type ran []string

func (r *ran) Run(h notify.Hook) { *r = append(*r, h.Argv[len(h.Argv)-1]) }

// A change of mark rules is reported for the virtual services that have such rules, and no others.
func TestOnChangeOfMarkedIsForMarkedOnes(t *testing.T) {
	var hooks ran
	d := New(Deps{Tell: []Receiver{Commands(hooks.Run)}})
	for _, marks := range []int{0, 1} {
		v := virtualOf(&parser.Virtual{ID: []string{"tcp:10.1.0.1:80", "fwm:3"}[marks],
			Marking: make([]parser.Marking, marks)}, serverOf(lvs.Dest{Addr: someAddr, Weight: 1})).seated(health.Up)
		v.Wrote(lvs.Dests{{Addr: someAddr, Weight: 1}})
		v.Config.OnChange = "tell"
		d.virtuals = append(d.virtuals, v)
	}
	d.ours = d.virtuals
	d.marked(marked{})
	if !slices.Equal(hooks, ran{"tell fwm:3 available 1 1"}) {
		t.Errorf("%q", hooks)
	}
}

func TestTheServerAtAnAddressIsTheOneThatIsUp(t *testing.T) {
	here := lvs.Dest{Addr: someAddr}
	for _, c := range []struct {
		one, two health.State
		want     int
	}{
		{health.Down, health.Up, 1}, {health.Up, health.Down, 0}, {health.Down, health.Down, 0},
	} {
		v := virtualOf(&parser.Virtual{}, serverOf(here), serverOf(here)).seated(c.one, c.two)
		if v.serverAt(someAddr) != v.servers[c.want] {
			t.Errorf("the server at the address is not server %d", c.want)
		}
	}
	if v := virtualOf(&parser.Virtual{}, serverOf(here)); v.serverAt(netip.AddrPort{}) != nil {
		t.Error("a server is found at another address")
	}
}

// A server that was added by hand shows in a snapshot.
func TestASnapshotShowsWhatWasAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t)
		s.configs["one"] = threeAndOne
		s.start("one", false)
		time.Sleep(5 * time.Second)
		s.hand([]string{"-a", "-t", "10.1.0.1:80", "-r", "10.2.0.99:80"})
		time.Sleep(5 * time.Second)
		if got := snapshotOf(t, s.director).Virtuals[0].Added; !slices.Equal(got,
			[]string{"10.2.0.99:80"}) {
			t.Errorf("added: %v", got)
		}
		s.stop(ErrHandover)
		time.Sleep(time.Second) // checks in flight end
	})
}

// recorded are lines of a monitorfile.
type recorded []string

func (r *recorded) Record(file, id string, up bool, message string) {
	*r = append(*r, file+" "+map[bool]string{true: "up", false: "down"}[up]+" "+message)
}

func TestWhatGoesIntoAMonitorfile(t *testing.T) {
	result := checker.Result{OK: true, Stage: wire.AtMatch, Detail: "200 OK"}
	for _, c := range []struct {
		what        string
		file        string
		spec        checker.Spec
		protocol    lvs.Protocol
		maintenance string
		ok          bool
		want        recorded
	}{
		{"no file", "", checker.Spec{Type: "negotiate", Service: "http"}, lvs.TCP, "", true, nil},
		{"http", "mon", checker.Spec{Type: "negotiate", Service: "http"}, lvs.TCP, "", true,
			recorded{"mon up 200 OK"}},
		{"combined", "mon", checker.Spec{Type: "combined", Service: "http"}, lvs.TCP, "", true,
			recorded{"mon up 200 OK"}},
		{"connect", "mon", checker.Spec{Type: "connect"}, lvs.TCP, "", false, recorded{"mon down "}},
		{"connect with udp is a ping, whose failures are left out", "mon", checker.Spec{Type: "connect"},
			lvs.UDP, "", false, nil},
		{"http with udp", "mon", checker.Spec{Type: "negotiate", Service: "http"}, lvs.UDP, "", true,
			recorded{"mon up 200 OK"}},
		{"maintenance", "mon", checker.Spec{Type: "connect"}, lvs.TCP, "web1", true,
			recorded{"mon down Server in maintenance"}},
		{"on", "mon", checker.Spec{Type: "on"}, lvs.TCP, "", true, nil},
	} {
		var lines recorded
		d := New(Deps{Tell: []Receiver{Results(monitorfile.Lines(lines.Record))}})
		v := &virtual{Service: &plan.Service{Config: &parser.Virtual{Key: lvs.Key{Protocol: c.protocol}}}}
		v.Config.MonitorFile, v.Config.CheckType, v.Config.Service = c.file, c.spec.Type,
			c.spec.Service
		result.OK = c.ok
		s := serverOf(lvs.Dest{})
		s.Server = &judge.Server{Member: &s.entry.Member, File: c.maintenance != ""}
		d.tell.found(history.Nothing, &result, user{v, s, &s.first})
		if !slices.Equal(lines, c.want) {
			t.Errorf("%s: %q, want %q", c.what, lines, c.want)
		}
	}
}

// asked are the commands that were requested.
type asked []notify.Hook

func (a *asked) Run(h notify.Hook) { *a = append(*a, h) }

// A stop and a demotion wait until the last command has ended, and no longer.
func TestLeavingWaitsForTheLastCommand(t *testing.T) {
	var hooks asked
	d := New(Deps{Tell: []Receiver{Commands(hooks.Run)}})
	if ended := d.tell.leaving(d.ours, "test"); ended != nil {
		t.Error("there is a wait without commands")
	}
	for range 2 {
		v := virtualOf(&parser.Virtual{Settings: parser.Settings{OnChange: "tell", CleanStop: true}})
		d.virtuals = append(d.virtuals, v)
	}
	d.ours = d.virtuals
	ended := d.tell.leaving(d.ours, "test")
	for i, hook := range hooks {
		select {
		case <-ended:
			t.Errorf("the wait ended after %d of %d commands", i, len(hooks))
		default:
		}
		hook.Ended()
	}
	select {
	case <-ended:
	default:
		t.Error("the wait did not end with the last command")
	}
	if len(hooks) != 2 {
		t.Errorf("%d commands were requested, want 2", len(hooks))
	}
}

// Operators' programs parse what onchange and the webhook get: no byte of it may change.
func TestTheBytesOfAMessage(t *testing.T) {
	for want, now := range map[string]view.Virtual{
		`{"virtual":"fwm:3","available":false,"fallback":false,"servers":null} 0`: {ID: "fwm:3"},
		`{"virtual":"tcp:10.1.0.1:80","available":false,"fallback":true,"announced":false,` +
			`"minservers":{"up":1,"needed":2,"enough":false},"servers":[` +
			`{"real":"web1:80","address":"10.2.0.1","state":"up","weight":1},` +
			`{"real":"10.2.0.2:80","state":"down","weight":5,"reason":"refused","held":true}],` +
			`"leaving":["10.2.0.3:80"]} 1`: {
			ID: "tcp:10.1.0.1:80", Title: "shop", Scheduler: "wrr", Fallback: &view.Fallback{Active: true},
			Announced: new(false), Enough: &view.MinServers{Up: 1, Needed: 2}, Written: true, Error: "no answer",
			Servers: []view.Server{
				{Real: "web1:80", ServerNames: view.ServerNames{Address: "10.2.0.1"}, State: "up", Weight: 1, InTable: true,
					Effective: 1, Note: "why"},
				{Real: "10.2.0.2:80", ServerNames: view.ServerNames{Host: "web2"}, State: "down", Weight: 5, Reason: "refused",
					Held: true, Note: "held"},
			},
			Leaving: []view.Leaver{{Real: "10.2.0.3:80"}},
		},
	} {
		m, up := newMessage(&now)
		text, err := json.Marshal(m)
		if got := fmt.Sprintf("%s %d", text, up); err != nil || got != want {
			t.Errorf("got  %s (%v)\nwant %s", got, err, want)
		}
	}
}
