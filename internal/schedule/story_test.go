package schedule

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/transcript"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// story is a running pool in a bubble, with tasks by their names, and what came of them.
type story struct {
	*Pool
	t     *testing.T
	tasks map[string]*Task
	mu    sync.Mutex // guards what follows
	begin time.Time
	began map[string][]string // when checks began, by task
	told  []string
}

func TestStories(t *testing.T) {
	testkit.Stories(t, "../../testdata/schedule/stories.txt", 5, func(t *testing.T, row []string) {
		s := &story{Pool: run(t), t: t, tasks: map[string]*Task{}, begin: time.Now(),
			began: map[string][]string{}}
		go s.listen()
		for line := range strings.SplitSeq(row[1], "; ") {
			words := strings.Fields(line)
			c := s.check(words[0], words[2:])
			if words[0] == "p" || words[0] == "q" {
				c = program{c}
			}
			s.tasks[words[0]] = task(s.duration(words[1]), c)
		}
		for step := range strings.SplitSeq(row[2], "; ") {
			s.take(strings.Fields(step))
		}
		s.compare(row[3], row[4])
	})
}

// program is a check that runs a program, one at a time.
type program struct{ checker.Checker }

func (program) Programs() int { return 1 }

func (s *story) duration(word string) time.Duration {
	return testkit.Must(time.ParseDuration(word))(s.t)
}

// check is a check with these results. The last one is repeated.
func (s *story) check(name string, results []string) checker.Checker {
	running := false
	return checkFunc(func(ctx context.Context) checker.Result {
		s.mu.Lock()
		if running {
			s.t.Error("a check overlaps itself")
		}
		running = true
		s.began[name] = append(s.began[name], time.Since(s.begin).String())
		took, result, isSlow := strings.Cut(results[0], ":")
		results = results[min(1, len(results)-1):]
		s.mu.Unlock()
		if isSlow {
			until(ctx, s.duration(took))
		} else {
			result = took
		}
		record(wire.Watching(ctx))
		s.mu.Lock()
		running = false
		s.mu.Unlock()
		return s.result(result)
	})
}

// record puts a remark into the transcript, if one is recorded.
func record(w *wire.Watch) {
	w.Remark("asked")
	if w.IsTaped() {
		w.Tape.Close(func(_ transcript.Kind, text string, _ bool) string { return text })
	}
}

// result is the result of a word, which it has as its detail. A process that is stopped wakes with every deadline
// passed. The bubble's clock can't stop a process, so the pool's own record of when it meant to wake is set back.
func (s *story) result(word string) checker.Result {
	s.Pool.mu.Lock()
	defer s.Pool.mu.Unlock()
	switch word {
	case "stopped":
		s.planned = s.now() - 5*time.Second
	case "suspended":
		slept := s.slept + 5*time.Second
		s.asleep = func() time.Duration { return slept }
	}
	causes := map[string]checker.Cause{"shortage": checker.Shortage, "silent": checker.Timeout}
	return checker.Result{OK: word == "passed", Cause: causes[word], Detail: word}
}

// listen takes results as soon as they are signalled.
func (s *story) listen() {
	for {
		select {
		case <-s.Results():
		case <-s.t.Context().Done():
			return
		}
		s.mu.Lock()
		for _, u := range s.Take() {
			s.told = append(s.told, s.words(u))
		}
		s.mu.Unlock()
	}
}

// words are what is told of a result.
func (s *story) words(u Update) string {
	said := ""
	for name, t := range s.tasks {
		if t == u.Task {
			said = name + " " + u.Result.Detail
		}
	}
	switch {
	case u.Stalled:
		said += " ignored"
	case u.Asked:
		said += " asked"
	case u.Silences > 0:
		said += fmt.Sprintf(" for an heir, %d", u.Silences)
	case u.Tape != nil && strings.Contains(u.Tape.String(), "asked"):
		said += " recorded"
	}
	return said
}

// take takes one step.
func (s *story) take(words []string) {
	var tasks []*Task
	heirs := map[*Task]*Task{}
	for _, word := range words[1:] {
		name, before, _ := strings.Cut(word, "<")
		if t := s.tasks[name]; t != nil {
			tasks, heirs[s.tasks[before]] = append(tasks, t), t
		}
	}
	switch words[0] {
	case "set":
		s.Set(tasks, heirs)
		s.Watches.Set(map[netip.AddrPort]*Watch{{}: {Tasks: tasks}})
	case "hurry":
		s.Hurry(tasks[0], s.duration(words[2]))
	case "ask":
		s.Ask(tasks...)
	case "end":
		s.Watches.Ask(netip.AddrPort{})
	case "tape":
		s.Tape(tasks[0])
	case "room":
		s.room, _ = strconv.Atoi(words[1])
	case "overdue":
		testkit.Equal(s.t, s.Overdue().Truncate(10*Tick), s.duration(words[1]), "overdue")
	case "anew":
		s.mu.Lock()
		defer s.mu.Unlock()
		s.begin, s.told = time.Now(), nil
		clear(s.began)
	default:
		pass(s.duration(words[0]))
	}
}

// compare compares when checks began and what was told; without a word for that it may be anything.
func (s *story) compare(began, told string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.began)) {
		all = append(all, strings.Join(append([]string{name}, s.began[name]...), " "))
	}
	testkit.Equal(s.t, strings.Join(all, "; "), began, "checks")
	if told != "" {
		testkit.Equal(s.t, strings.Join(s.told, "; "), strings.TrimPrefix(told, "nothing"), "told")
	}
}
