package core

import (
	"errors"
	"fmt"
	"ldirectord/internal/schedule"
	"ldirectord/internal/view"
	"maps"
	"net/netip"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/orders"
	"ldirectord/internal/testkit"
)

// A file of testdata/core/stories has stories about one subject. A story begins with "=" and what it shows. Its first
// line is the configuration before, the following ones are what happens, in the verbs below. Lines with ">" are what the
// core asks for then, in that order, except for what begins with a word of "without".
//
// A configuration is parts, divided by semicolons: "web 1" and "marked" are those of world_test.go, "web 1 with 3" has
// one more real server, "web 1 without 2" one less, "web 1 /gate/masq" another word; a name is that of a part at the
// beginning of the file; ". watch = yes" is a line of the section before, and anything else is a line.
func TestStories(t *testing.T) {
	for _, file := range testkit.Must(filepath.Glob("../../testdata/core/stories/*.txt"))(t) {
		head, rest, _ := strings.Cut(testkit.Read(t, file), "\n= ")
		parts := map[string]string{}
		for part := range strings.SplitSeq(head, "\npart ") {
			name, lines, _ := strings.Cut(part, "\n")
			parts[name] = strings.ReplaceAll(lines, "| ", "")
		}
		for story := range strings.SplitSeq(rest, "\n= ") {
			what, lines, _ := strings.Cut(story, "\n")
			t.Run(filepath.Base(file)+"/"+what, func(t *testing.T) {
				w := newWorld(t)
				w.parts = parts
				got, want := w.play(lines)
				testkit.Equal(t, got, want)
			})
		}
	}
}

// play plays the lines of a story. It returns what the core asks for, and what it should.
func (w *world) play(lines string) (got, wanted string) {
	var want, without []string
	for line := range strings.Lines(lines) {
		verb, of, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch verb {
		case "":
		case ">":
			want = append(want, of)
		case "without":
			without = strings.Fields(of)
		default:
			w.does(verb, of)
		}
	}
	return w.saw(without...), strings.Join(want, "\n")
}

// config is a configuration in the words of a story.
func (w *world) config(words string) string {
	text := ""
	for part := range strings.SplitSeq(words, "; ") {
		part, changes, _ := strings.Cut(part, " /")
		var n, k int
		is, known := w.parts[part]
		switch {
		case known:
		case part == "marked":
			is = marked
		case strings.HasPrefix(part, "web "):
			fmt.Sscanf(part, "web %d", &n)
			is = web(n)
			if _, err := fmt.Sscanf(part, "web %d without %d", &n, &k); err == nil {
				is = strings.Replace(is, real(k), "", 1)
			} else if _, err := fmt.Sscanf(part, "web %d with %d", &n, &k); err == nil {
				is = strings.Replace(is, real(2), real(2)+real(k), 1)
			}
		case part != "":
			is = strings.Replace(part, ". ", "\t", 1) + "\n"
		}
		if changes != "" {
			is = strings.NewReplacer(strings.Split(changes, "/")...).Replace(is)
		}
		text += is
	}
	return text
}

// found are what checks find.
var found = map[string]checker.Result{
	"passes": {OK: true}, "fails": {}, "refuses": refused,
	"short":   {Cause: checker.Shortage},
	"lacks":   {Cause: checker.Shortage, Detail: "it is not installed"},
	"puzzles": {Cause: checker.Unjudged, Detail: "it took too long"},
	"through": {OK: true, Way: checker.WayThrough}, "astray": {OwnAnswers: true, Way: checker.WayThrough},
}

// does has something happen. A number is that of a real server, nothing stands for all.
func (w *world) does(verb, of string) {
	server := func(n string) string { return "10.2.0." + n + ":80" }
	if r, is := found[verb]; is {
		if of != "" {
			of = server(of)
		}
		w.result(r, of)
		return
	}
	first, more, _ := strings.Cut(of, " ")
	switch verb {
	case "before":
		w.start(w.config(of))
	case "reload":
		w.Replace(w.now, w.file(w.config(of)), w.reading)
		w.step()
	case "refine": // names have got addresses
		w.Refine(w.now, w.file(w.config(of)), maintenance.Reading{})
	case "name":
		w.names = map[string]netip.Addr{first: netip.MustParseAddr(more)}
	case "wait":
		w.pass(testkit.Must(time.ParseDuration(of))(w))
	case "note":
		w.note("%s", of)
	case "forget":
		w.did = nil
	case "count": // how often these words were there
		all, n := w.saw(), []string{}
		for word := range strings.FieldsSeq(of) {
			n = append(n, fmt.Sprint(strings.Count(all, word), " ", word))
		}
		w.note("%s", strings.Join(n, ", "))
	case "words": // of the log
		w.texts = true
	case "slow", "perform": // orders for addresses and rules
		if w.slow = verb == "slow"; !w.slow {
			w.perform()
		}
	case "refuse": // what begins like this
		w.refuse(of)
	case "silent":
		w.silent()
	case "deaf": // it makes changes without an answer, and refuses what begins like this
		w.answers = func(what string) (judge.Outcome, time.Duration) {
			if of != "" && strings.HasPrefix(what, of) {
				return judge.Outcome{Answer: judge.Refused, Err: errors.New("refused")}, 0
			}
			if what != "read" {
				w.memory.Do(0, w.asked...)
			}
			return judge.Outcome{Answer: judge.Unanswered, Err: errors.New("no answer")}, judge.TableTimeout
		}
	case "ending", "missing", "because": // the answer to all that is asked
		o := map[string]judge.Outcome{
			"ending":  {Answer: judge.Interrupted, Err: errors.New("stopped")},
			"missing": {Answer: judge.Missing, Err: errors.New("ip_vs can't be loaded")},
			"because": {Answer: judge.Refused, Err: errors.New(of)},
		}[verb]
		w.answers = func(string) (judge.Outcome, time.Duration) { return o, 0 }
	case "answer":
		w.answers = nil
	case "standby", "serve":
		w.SetStandby(w.now, verb == "standby")
		w.step()
	case "taken", "waits": // what another daemon has, or waits for
		keys := map[lvs.Key]string(nil)
		if of == "timeouts" {
			keys = map[lvs.Key]string{lvs.TimeoutsKey: "b.cf"}
		} else if of != "" {
			keys = map[lvs.Key]string{keyOf(w, w.config(of)): "b.cf"}
		}
		if w.taken = nil; verb == "taken" {
			w.taken = keys
		} else {
			w.beside = keys
		}
	case "claimed":
		w.Claimed(w.now)
	case "hooks":
		w.HooksEnded(w.now)
		w.step()
	case "idle":
		w.note("idle %t", w.e.Idle)
	case "stop":
		w.Stop(w.now, w)
		w.Clear(w.now)
	case "order": // of a server, with a weight
		kind, weight, _ := strings.Cut(more, " ")
		w.Order(w.now, orders.All{lvs.At("tcp:10.1.0.1:80", server(first)): {Kind: orders.Kind(kind),
			Weight: number(w.T, "0"+weight), Why: "slow"}})
	case "hand":
		kinds := map[string]lvs.OpKind{"-a": lvs.AddDest, "-e": lvs.EditDest, "-d": lvs.DelDest,
			"-A": lvs.AddService, "-D": lvs.DelService}
		at, weight, _ := strings.Cut(more, " ")
		w.hand(kinds[first], server(at), uint32(number(w.T, "0"+weight)))
	case "warns": // it passes
		w.result(checker.Result{OK: true, Warning: more}, server(first))
	case "settled":
		w.note("%s, settled %t", w.Snapshot(w.now).Status, w.e.Settled)
	case "folder": // the files of maintenance: of a server, none, or it can't be read
		w.reading = maintenance.Reading{Out: map[netip.AddrPort]string{}}
		if of == "broken" {
			w.reading.Err = errors.New("no answer")
		} else if of != "" {
			w.reading.Out[netip.MustParseAddrPort(server(of))] = "web1"
		}
		w.Maintained(w.now, w.reading)
		w.step()
	case "carry": // a connection to a server, or none
		if w.carries = nil; of != "" {
			w.carries = map[netip.AddrPort]lvs.Counters{netip.MustParseAddrPort(server(of)): {Active: 1}}
		}
	case "clients": // come to the servers: the packets back to those of each
		if w.carries == nil {
			w.carries = map[netip.AddrPort]lvs.Counters{}
		}
		for i, out := range strings.Fields(of) {
			at := netip.MustParseAddrPort(server(fmt.Sprint(i + 1)))
			c := w.carries[at]
			c.Traffic.Connections += 15
			c.Traffic.PacketsIn += 15
			c.Traffic.PacketsOut += uint64(number(w.T, out))
			w.carries[at] = c
		}
		w.pass(ObserveInterval)
	case "checks": // the nth of each server
		for _, e := range w.plan.Services[0].Entries {
			task := e.Line(number(w.T, first)).Task
			w.Results(w.now, updates([]*schedule.Task{task}, found[more], w.now))
		}
		w.step()
	case "check": // one of server 1, or all of all
		tasks := w.plan.Tasks
		if first != "all" {
			tasks = []*schedule.Task{w.plan.Services[0].Entries[0].Line(number(w.T, first)).Task}
		}
		w.Results(w.now, updates(tasks, found[more], w.now))
	case "timeouts": // by hand, or as they are
		var hand lvs.Timeouts
		fmt.Sscanf(of, "%d/%d/%d", &hand[0], &hand[1], &hand[2])
		if was, _ := w.Timeouts(judge.TableTimeout, hand); of == "" {
			w.note("timeouts %v", was)
		}
	case "look": // at this machine, a second later
		w.pass(time.Second)
		var ills []view.Condition
		for ill := range strings.FieldsSeq(of) { // its kind, and what it is about
			kind, text, broken := strings.Cut(ill, "=")
			trouble := judge.Broken
			if !broken {
				trouble = judge.Doubt
			}
			ills = append(ills, view.Condition{Kind: kind, Trouble: trouble, Text: strings.TrimSpace(kind + " " + text)})
		}
		w.Looked(w.now, ills)
		w.step()
		w.show("On Why", w.at("Announcements 0")...)
		w.show("Text", w.at("Conditions")...)
	case "tally": // of the checks of each server
		for _, s := range w.first().Servers {
			w.note("%d checks, failures %v", s.Tally.Checks, maps.Collect(s.Tally.Failures()))
		}
	case "changes": // of the table, with those that were refused
		n := w.Snapshot(w.now).Table
		w.note("added %v, removed %v", n[lvs.AddService], n[lvs.DelDest])
	case "show": // fields, of what is at a path in the snapshot
		fields, path, is := strings.Cut(of, " of ")
		if !is {
			path = "Virtuals 0 Servers"
		}
		w.show(fields, w.at(path)...)
	default:
		w.Fatalf("there is no %q", verb)
	}
}

// at is what is at a path in a snapshot: one thing, or the elements of a slice.
func (w *world) at(path string) (all []any) {
	at := reflect.ValueOf(w.Snapshot(w.now))
	for name := range strings.FieldsSeq(strings.TrimPrefix(path, "snapshot")) {
		at = reflect.Indirect(at)
		if n, err := strconv.Atoi(name); err == nil {
			at = at.Index(n)
		} else {
			at = at.FieldByName(name)
		}
	}
	if at.Kind() != reflect.Slice {
		return []any{at.Interface()}
	}
	for i := range at.Len() {
		all = append(all, at.Index(i).Interface())
	}
	return all
}
