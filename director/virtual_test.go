package director

import (
	"testing"
	"time"

	"ldirectord/checker/health"
	"ldirectord/checker/schedule"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/parser"
)

// virtualOf is a virtual service with these servers.
func virtualOf(cfg *parser.Virtual, servers ...*server) *virtual {
	v := &virtual{Case: judge.Case{Section: sectionOf(cfg, false)}, cfg: cfg, servers: servers}
	v.enlist()
	return v
}

// serverOf is a real server with one check.
func serverOf(d lvs.Dest) *server {
	return &server{real: &parser.Real{}, Member: judge.Member{Dest: d, MovedTo: -1}, first: judgement{task: &schedule.Task{}, check: &check{}}}
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
	w := writer{table: table{until: time.Now().Add(time.Hour)}}
	if w.countRerouted(t.Context(), v); !server.Connected {
		t.Error("the server has lost its connections")
	}
}
