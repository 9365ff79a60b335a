package core

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/announce"
	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/orders"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// A file of testdata/core/stories has stories about one subject. A story begins with "=" and what it shows. Its first
// line is the configuration before, the following ones are what happens, in the verbs below. Lines with ">" are what
// the core asks for then, in that order, except for what begins with a word of "without".
//
// A configuration is parts, divided by semicolons: "web 1" and "marked" are those of world_test.go, "web 1 with 3" has
// one more real server, "web 1 without 2" one less, "web 1 /gate/masq" another word; a name is that of a part at the
// beginning of the file; ". watch = yes" is a line of the section before, and anything else is a line.
func TestStories(t *testing.T) {
	for _, file := range testkit.Files(t, "../../testdata/core/stories/*.txt") {
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
	"passes": {OK: true}, "fails": {}, "refuses": {Detail: "connect: refused", Cause: checker.Refused},
	"short":   {Cause: checker.Shortage},
	"lacks":   {Cause: checker.Shortage, Detail: "it is not installed"},
	"puzzles": {Cause: checker.Unjudged, Detail: "it took too long"},
	"drains":  {OK: true, Report: health.Report{Admin: health.Drain}},
	"maints":  {OK: true, Report: health.Report{Admin: health.Maint}},
	"stops":   {Report: health.Report{State: health.Down}},
	"opens":   {OK: true, Stage: wire.AtConnect, Report: health.Report{Wordless: true}}, // checktype = N
	"through": {OK: true, Way: checker.WayThrough}, "astray": {OwnAnswers: true, Way: checker.WayThrough},
}

func realAt(n string) string { return "10.2.0." + n + ":80" }

func filesOf(servers []string) maintenance.Reading {
	r := maintenance.Reading{Out: map[netip.AddrPort]string{}, Unread: map[netip.AddrPort]bool{}}
	for _, n := range servers {
		n, unread := strings.CutPrefix(n, "?")
		s := netip.MustParseAddrPort(realAt(n))
		if r.Out[s] = "web" + n; unread {
			r.Unread[s], r.Err = true, unanswered.Err
		}
	}
	return r
}

// does has something happen, or shows something. A number is that of a real server, without one all are meant.
func (w *world) does(verb, of string) {
	first, more, _ := strings.Cut(of, " ")
	switch r, is := found[verb]; {
	case is:
		w.result(r, strings.TrimPrefix(realAt(of), realAt("")))
		return
	case w.shows(verb, of) || w.tableDoes(verb, of):
		return
	}
	switch verb {
	case "before":
		w.start(w.config(of))
	case "begin", "begin-standby": // before the first results, and to be shown
		w.before.Standby = verb != "begin"
		w.begin(w.config(of))
	case "finds", "left": // virtual services in the table; left: by the daemon before
		for _, s := range planned(w, w.config(of)).Services {
			w.memory.Do(0, lvs.Op{Kind: lvs.AddService, Key: s.Config.Key, Settings: anySettings})
			if verb == "left" {
				w.before.Former = append(w.before.Former, s.Config.Key)
			}
		}
	case "there": // an address has its route: its device, and the daemon that has it
		w.there = announce.Place{Addr: netip.MustParseAddr(first), Local: true}
		fmt.Sscan(more, &w.there.Device, &w.there.Owner)
	case "withdraw": // the daemon before may have left an address on devices; "" is its route
		w.before.Announced = announce.Record{netip.MustParseAddr(first): strings.Split(of, " ")[1:]}
	case "lost": // orders for addresses, from now on
		w.lost = true
	case "reload":
		w.Replace(w.now, w.file(w.config(of)), w.reading, false)
		w.step()
	case "refine": // names have got addresses
		w.Replace(w.now, w.file(w.config(of)), maintenance.Reading{}, true)
	case "name":
		w.names = map[string]netip.Addr{first: netip.MustParseAddr(more)}
	case "wait":
		w.pass(testkit.Must(time.ParseDuration(of))(w))
	case "late": // the next step is
		w.now = w.now.Add(testkit.Must(time.ParseDuration(of))(w))
	case "words": // of the log
		w.texts = true
	case "slow", "perform": // orders for addresses and rules
		if w.slow = verb == "slow"; !w.slow {
			w.perform()
		}
	case "standby", "serve":
		w.SetStandby(w.now, verb == "standby")
		w.step()
	case "taken": // what another daemon has
		w.taken = w.theirs(of)
	case "waits": // and what it waits for
		w.taken, w.beside = nil, w.theirs(of)
	case "claimed":
		w.Claimed(w.now)
	case "hooks":
		w.HooksEnded(w.now)
		w.step()
	case "stop":
		w.End(w.now)
		w.Stop(w.now, w)
		for _, left := range w.Clear(w.now) {
			w.note("left %s", left.ID())
		}
	case "order": // of a server, with a weight
		kind, weight, _ := strings.Cut(more, " ")
		given, ready := orders.All{lvs.At("tcp:10.1.0.1:80", realAt(first)): {Kind: orders.Kind(kind),
			Weight: number(w.T, "0"+weight), Why: "slow"}}, orders.All(nil)
		if kind == string(orders.Ready) {
			given, ready = nil, given
		}
		w.Order(w.now, given, ready)
	case "warns": // it passes
		w.result(checker.Result{OK: true, Warning: more}, realAt(first))
	case "version": // of a server
		w.result(checker.Result{OK: true, Shows: more}, realAt(first))
	case "check": // the nth of each server
		for _, e := range w.plan.Services[0].Entries {
			task := e.Line(number(w.T, first)).Task
			w.Results(w.now, updates([]*schedule.Task{task}, found[more], w.now))
		}
		w.step()
	case "folder": // the files of maintenance: of servers, "?" is one that can't be read, as a broken folder
		w.reading = maintenance.Reading{Err: unanswered.Err}
		if of != "broken" {
			w.reading = filesOf(strings.Fields(of))
		}
		w.Maintained(w.now, w.reading)
		w.step()
	case "carry": // a connection to a server, or none
		if w.carries = nil; of != "" {
			w.carries = map[netip.AddrPort]lvs.Counters{netip.MustParseAddrPort(realAt(of)): {Active: 1}}
		}
	case "clients": // come to the servers: the packets back to those of each
		if w.carries == nil {
			w.carries = map[netip.AddrPort]lvs.Counters{}
		}
		for i, out := range strings.Fields(of) {
			at := netip.MustParseAddrPort(realAt(fmt.Sprint(i + 1)))
			c := w.carries[at]
			c.Traffic.Connections += 15
			c.Traffic.PacketsIn += 15
			c.Traffic.PacketsOut += uint64(number(w.T, out))
			w.carries[at] = c
		}
		w.pass(ObserveInterval)
	case "look": // at this machine, a second later; of a trouble its kind, and what is broken
		w.pass(time.Second)
		var ills []view.Condition
		for ill := range strings.FieldsSeq(of) {
			kind, text, broken := strings.Cut(ill, "=")
			trouble := map[bool]judge.Trouble{true: judge.Broken, false: judge.Doubt}[broken]
			ills = append(ills, view.Condition{Kind: kind, Trouble: trouble, Text: kind + " " + text})
		}
		w.Looked(w.now, ills)
		w.step()
		w.does("show", "On Why of Announcements 0")
		w.does("show", "Text of Conditions")
	default:
		w.Fatalf("there is no %q", verb)
	}
}

// theirs are the virtual service, or the timeouts, of another daemon.
func (w *world) theirs(of string) map[lvs.Key]string {
	switch of {
	case "":
		return nil
	case "timeouts":
		return map[lvs.Key]string{lvs.TimeoutsKey: "b.cf"}
	}
	return map[lvs.Key]string{keyOf(w, w.config(of)): "b.cf"}
}

var anySettings = lvs.Settings{Scheduler: "wrr", Netmask: 0xffffffff}

// tableDoes has the table answer as a verb says, or be changed by hand.
func (w *world) tableDoes(verb, of string) bool {
	answer := outcomeOf(errRefused)
	switch verb {
	case "silent":
		w.answers = func(string) (judge.Outcome, time.Duration) {
			return unanswered, judge.TableTimeout
		}
		return true
	case "answer":
		w.answers = nil
		return true
	case "unanswered": // it makes changes without an answer, and refuses what begins like this
		w.answers = func(what string) (judge.Outcome, time.Duration) {
			if of != "" && strings.HasPrefix(what, of) {
				return answer, 0
			}
			if what != "read" {
				w.memory.Do(0, w.asked...)
			}
			return unanswered, judge.TableTimeout
		}
		return true
	case "hand": // an option of ipvsadm, for a server, with a weight
		kinds := map[string]lvs.OpKind{"-a": lvs.AddDest, "-e": lvs.EditDest, "-d": lvs.DelDest,
			"-A": lvs.AddService, "-D": lvs.DelService}
		words := append(strings.Fields(of), "0")
		w.memory.Do(0, lvs.Op{Kind: kinds[words[0]], Key: keyOf(w, web(1)), Settings: anySettings,
			Dest: lvs.Dest{Addr: netip.MustParseAddrPort(realAt(words[1])), Forward: lvs.Route,
				Weight: uint32(number(w.T, words[2]))}})
		return true
	case "torn": // the next reading misses a virtual service
		w.torn = keyOf(w, w.config(of))
		return true
	case "refuse", "waver": // what begins like this; waver: every second request
	case "ending": // at what begins like this
		answer = judge.Outcome{Answer: judge.Interrupted, Err: errors.New("stopped")}
	case "missing":
		answer = judge.Outcome{Answer: judge.Missing, Err: errors.New("ip_vs can't be loaded")}
	case "because": // of this it refuses everything
		answer.Err, of = errors.New(of), ""
	default:
		return false
	}
	passes := false
	w.answers = func(what string) (judge.Outcome, time.Duration) {
		passes = verb == "waver" && !passes
		if !passes && strings.HasPrefix(what, of) {
			return answer, 0
		}
		return judge.Outcome{}, 0
	}
	return true
}

// shows notes what a verb asks for.
func (w *world) shows(verb, of string) bool {
	switch verb {
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
	case "idle":
		w.note("idle %t", w.e.Idle)
	case "settled":
		w.note("%s, settled %t", w.Snapshot(w.now).Status, w.e.Settled)
	case "timeouts": // by hand, or as they are
		var hand lvs.Timeouts
		fmt.Sscanf(of, "%d/%d/%d", &hand[0], &hand[1], &hand[2])
		if was, _ := w.Timeouts(judge.TableTimeout, hand); of == "" {
			w.note("timeouts %v", was)
		}
	case "tally": // of the checks of each server
		for _, one := range w.first().Servers {
			w.note("%d checks, failures %v", one.Tally.Checks, maps.Collect(one.Tally.Failures()))
		}
	case "changes": // of the table, with those that were refused
		s := w.Snapshot(w.now)
		w.note("added %v, removed %v", s.Table[lvs.AddService], s.Table[lvs.DelDest])
	case "show": // fields, of what is at a path in the snapshot
		fields, path, is := strings.Cut(of, " of ")
		if !is {
			path = "Virtuals 0 Servers"
		}
		for _, one := range w.at(path) {
			var line []string
			for name := range strings.FieldsSeq(fields) {
				field := reflect.Indirect(reflect.ValueOf(one)).FieldByName(name).Interface()
				if at, is := field.(time.Time); is {
					field = w.now.Sub(at)
				}
				line = append(line, fmt.Sprint(field))
			}
			w.note("%s", strings.Join(line, ", "))
		}
	default:
		return false
	}
	return true
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
