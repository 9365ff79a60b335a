package core

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// virtualOf is a virtual service with these servers.
func virtualOf(cfg *parser.Virtual, servers ...*server) *virtual {
	p, _ := plan.New(&parser.Config{Virtuals: []*parser.Virtual{cfg}}, neverChecked)
	entries := make([]*plan.Entry, len(servers))
	for i, s := range servers {
		entries[i] = s.entry
	}
	v := &virtual{}
	v.seat(p.Services[0].With(entries...), servers, make([]judge.Server, len(servers)))
	return v
}

// serverOf is a real server with one check.
func serverOf(d lvs.Dest) *server {
	e := &plan.Entry{Real: &parser.Real{}, Member: judge.Member{Dest: d, MovedTo: -1},
		First: plan.Line{Task: &schedule.Task{}}}
	return &server{entry: e, first: judgement{check: &check{}}}
}

// seated sets the states of a virtual service's servers.
func (v *virtual) seated(states ...health.State) *virtual {
	for i, state := range states {
		v.Servers[i].AssumeAll(health.Assume(state))
	}
	return v
}

// While the table does not answer, a server that changes to gate keeps the last known number of connections.
func TestWhatAServerCarriesIsKeptWhileTheTableIsSilent(t *testing.T) {
	server := serverOf(lvs.Dest{Addr: someAddr, Forward: lvs.Route, Weight: 1})
	v := virtualOf(&parser.Virtual{}, server)
	v.Wrote(lvs.Dests{{Addr: someAddr, Forward: lvs.Masq, Weight: 1}})
	server.Counted(1)
	w := writer{services: &services{tell: teller{clock: time.Now()}}}
	w.silence.Unanswered(time.Now())
	if w.countRerouted(v); !server.Connected {
		t.Error("the server has lost its connections")
	}
}

// During a reload there are two plans, so the machine needs memory for both.
func TestAPlanTakesLittleMemory(t *testing.T) {
	const servers, most = 20_000, 2170 // bytes for each server
	before := testkit.InUse()
	p := planOf(t, testkit.ManyServers(servers, 80, 5))
	virtuals := virtualsOf(p)
	if each := (testkit.InUse() - before) / servers; each > most {
		t.Errorf("%d bytes for each server, at most %d: a struct of a section or a server has become larger, "+
			"such as Virtual of parser/config.go; if its new field is worth that, raise the limit here",
			each, most)
	}
	runtime.KeepAlive(p)
	runtime.KeepAlive(virtuals)
}

// Each of several servers at one address keeps what is known of itself over a reload.
func TestServersAtOneAddressKeepTheirStates(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/core/twins.txt", 4) {
		var plans [2]*virtual
		for i := range plans {
			text := "virtual = 10.1.0.1:80\n service = http\n"
			for _, request := range strings.Fields(row[1+i]) {
				text += " real = 10.2.0.1:80 masq 1 \"" + request + "\", \"ok\"\n"
			}
			plans[i] = virtualsOf(planOf(t, text))[0]
		}
		was, now := plans[0], plans[1]
		for i, s := range was.servers {
			s.Falls, s.tally.Checks = uint8(1+i), uint64(1+i)
		}
		now.inherit(was)
		names, got := append([]string{"new"}, strings.Fields(row[1])...), []string{}
		for _, s := range now.servers {
			got = append(got, names[s.Falls])
			if uint64(s.Falls) != s.tally.Checks {
				t.Errorf("%s: the notes are those of another server", row[0])
			}
		}
		testkit.Equal(t, strings.Join(got, " "), row[3], row[0])
	}
}
