package whatif

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/plans"
	"ldirectord/parser"
)

type unmade struct{}

func (unmade) Check(context.Context) checker.Result { panic("a check is made") }

// What is in the table after a server failed, with what delays a removal or a return: all of it is over.
func TestWhatStaysInTheTable(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/table.txt", 5) {
		p := planOf(t, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate 4\n\treal = 10.2.0.2:80 gate 4\n"+
			"\tchecktype = connect\n\tservice = none\n\tfallback = 10.2.0.9:80 gate\n\t"+row[1]+"\n")
		w := New(p, p.Services, nil, Calm)
		var down []lvs.Backend
		for name := range strings.FieldsSeq(row[2]) {
			down = append(down, lvs.At("tcp:10.1.0.1:80", name))
		}
		w.Fail(w.Asked(down))
		if row[3] != "" {
			w.Order(orders.All{lvs.At("tcp:10.1.0.1:80", "10.2.0.2:80"): {Kind: orders.Kind(row[3])}}, nil)
		}
		testkit.Equal(t, tableOf(w), row[4]+", ", row[0])
		w.End()
		testkit.Equal(t, len(w.Table()), 0, row[0], "after the end")
	}
}

// Of several fallback servers one that fails does not serve, also if many failures are needed, and though no real
// server fails yet.
func TestFallbackThatFails(t *testing.T) {
	p := planOf(t, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\tchecktype = connect\n"+
		"\tfallback = 10.2.0.8:80 gate\n\talsofallback = 10.2.0.9:80 gate\n\tfallbackcheck = connect\n"+
		"\tfailurecount = 30\n")
	w := New(p, p.Services, nil, Calm)
	w.BreakFallbacks([]lvs.Backend{lvs.At("tcp:10.1.0.1:80", "10.2.0.8:80")})
	w.Fail(nil)
	testkit.Equal(t, w.Snapshot().Virtuals[0].Fallback.State, "down")
	w.Fail([]lvs.Backend{lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80")})
	testkit.Equal(t, tableOf(w), "10.2.0.9:80 1, ")
}

// A server that waits to come back is out although it passes, and returns when too few others serve.
func TestServerThatWaitsToComeBack(t *testing.T) {
	p := planOf(t, "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n"+
		"\tchecktype = connect\n\tholddown = 30\n\trisecount = 3\n")
	w := New(p, p.Services, nil, Calm)
	w.Wait([]lvs.Backend{lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80")})
	testkit.Equal(t, tableOf(w), "10.2.0.2:80 1, ")
	w.Fail([]lvs.Backend{lvs.At("tcp:10.1.0.1:80", "10.2.0.2:80")})
	testkit.Equal(t, tableOf(w), "10.2.0.1:80 1, ")
}

// A few services of a large plan are played without the checks of the others, which would take most of the time.
func TestOnlyTheChecksOfItsServicesArePlayed(t *testing.T) {
	section := "virtual = 10.1.0.%d:80\n\treal = 10.2.0.%[1]d:80 gate\n\treal = 10.2.0.9:80 gate\n" +
		"\talsocheck = connect 81\n"
	p := planOf(t, fmt.Sprintf(section, 1)+fmt.Sprintf(section, 2))
	testkit.Equal(t, len(p.Tasks), 6)
	w := New(p, p.Services[1:], nil, Calm)
	testkit.Equal(t, len(w.plan.Tasks), 4)
	testkit.Equal(t, tableOf(w), "10.2.0.2:80 1, 10.2.0.9:80 1, ")
}

// A check that comes back by a reload is made at its interval from then on: none is made up for.
func TestChecksThatComeBack(t *testing.T) {
	const section = "virtual = 10.1.0.1:80\n\treal = 10.2.0.1:80 gate\n\treal = 10.2.0.2:80 gate\n" +
		"\tchecktype = connect\n\tfailurecount = 3\n\tcheckinterval = "
	ten, seven := planOf(t, section+"10\n"), planOf(t, section+"7\n")
	w := New(ten, ten.Services, nil, 0)
	w.Let(5 * time.Second)
	w.Reload(seven)
	w.Let(time.Hour)
	w.Reload(ten)
	w.Break([]lvs.Backend{lvs.At("tcp:10.1.0.1:80", "10.2.0.1:80")}, true)
	w.Let(29 * time.Second)
	testkit.Equal(t, tableOf(w), "10.2.0.1:80 1, 10.2.0.2:80 1, ")
	w.Let(time.Second)
	testkit.Equal(t, tableOf(w), "10.2.0.2:80 1, ")
}

func tableOf(w *World) (text string) {
	for _, s := range w.Table() {
		for _, d := range s.Dests {
			text += fmt.Sprintf("%v %d, ", d.Addr, d.Weight)
		}
	}
	return text
}

func planOf(t *testing.T, text string) *plan.Plan {
	t.Helper()
	return plans.Of(t, text, parser.Options{},
		func(checker.Spec) (checker.Checker, error) { return unmade{}, nil })
}
