package viavip

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

// What checks return, by the words of stories.
var (
	up      = checker.Result{OK: true}
	refused = checker.Result{Detail: "connect: refused", Cause: checker.Refused}
	silent  = checker.Result{Detail: "connect: no answer in 5s", Cause: checker.Timeout, Took: 5 * time.Second}
	results = map[string]checker.Result{
		"up": up, "refused": refused, "silent": silent,
		"page":     {OK: true, Detail: "200 OK"},
		"warns":    {OK: true, Warning: "ends soon"},
		"drains":   {OK: true, Report: health.Report{Admin: health.Drain}},
		"wrong":    {Detail: "500 Oops", Cause: checker.Answer},
		"shortage": {Cause: checker.Shortage},
		"unjudged": {Cause: checker.Unjudged},
	}
)

// story is a check, and what happens to it.
type story struct {
	*fake
	t            *testing.T
	c            *check
	through, own *answers
	last         checker.Result
}

func TestStories(t *testing.T) {
	testkit.Scenes(t, "../../testdata/viavip/stories.txt", func(t *testing.T, cells []string) func(string) any {
		s := &story{fake: alone(), t: t}
		s.through, s.own = giving(s.results(cells[1])...), giving(s.results(cells[2])...)
		s.c = s.check(t, s.through, s.own).(*check)
		return s.take
	})
}

func (s *story) results(text string) (list []checker.Result) {
	for word := range strings.FieldsSeq(text) {
		name, took, isSlow := strings.Cut(word, ":")
		r, known := results[name]
		if !known {
			s.t.Fatal("no result is called", word)
		}
		if isSlow {
			r.Took = s.duration(took)
		}
		list = append(list, r)
	}
	return list
}

func (s *story) duration(word string) time.Duration {
	return testkit.Must(time.ParseDuration(word))(s.t)
}

// take takes a step, and returns what it shows.
func (s *story) take(step string) (shows any) {
	verb, what, _ := strings.Cut(step, " ")
	switch verb {
	case "check":
		return s.made(func() checker.Result { return s.c.Check(s.t.Context()) })
	case "loop":
		testkit.Equal(s.t, s.c.First(), checker.Checker(s.through), "it begins with")
		return s.made(func() checker.Result {
			r := s.results(what)[0]
			s.c.Way(time.Now())
			time.Sleep(r.Took)
			return s.c.Finish(s.t.Context(), r)
		})
	case "checks":
		var all []string
		for range testkit.Must(strconv.Atoi(what))(s.t) {
			time.Sleep(3 * time.Second)
			s.last = s.c.Check(s.t.Context())
			all = append(all, said(s.last))
		}
		return strings.Join(slices.Compact(all), ", ")
	case "detail":
		return s.last.Detail + s.last.Warning
	case "asked":
		return fmt.Sprint(s.through.asked, s.own.asked)
	case "connections":
		defer func() { s.knocks = 0 }()
		return s.knocks
	case "known":
		via, ok := s.c.Way(time.Now())
		return ok && via.To == virtual && via.Mark == ipvsctl.FirstPrivate
	case "looked":
		return !s.c.now.looked.IsZero()
	case "confirm":
		return s.c.Confirm(s.t.Context(), []checker.Guided{s.c})[0]
	case "missing":
		defer func() { s.c.missing = true }()
		return s.c.missing
	case "through":
		s.through.list = s.results(what)
	case "own":
		s.own.list = s.results(what)
	case "timeout":
		s.c.timeout = s.duration(what)
	case "rule":
		s.rule = what
	default:
		s.becomes(step)
	}
	return ""
}

// made is what a check shows, and how long it took.
func (s *story) made(do func() checker.Result) string {
	began := time.Now()
	s.last = do()
	if took := time.Since(began); took > 0 {
		return fmt.Sprint(said(s.last), " after ", took)
	}
	return said(s.last)
}

// becomes takes a step that shows nothing.
func (s *story) becomes(step string) {
	now := time.Now()
	switch step {
	case "counted all":
		s.counts = nil
	case "counted none":
		s.countNothing()
	case "counted every other":
		s.counts = func(uint16) bool { return s.knocks%2 == 0 }
	case "counted but the first":
		s.counts = func(uint16) bool { return s.knocks > 1 }
	case "counted late":
		s.counts = func(uint16) bool { return time.Since(now) >= countedBy }
	case "others counted":
		s.others = 1
	case "during nothing":
		s.through.then = nil
	case "during passing packets":
		s.through.then = func() { s.count.Traffic.PacketsIn++ }
	case "during flush":
		s.through.then = s.flush
	case "during flush once":
		s.through.then = func() { s.flush(); s.through.then = nil }
	case "during slow table":
		s.through.then = func() {
			s.line <- struct{}{}
			time.AfterFunc(lineTimeout+1, func() { <-s.line })
		}
	case "table silent", "table answers":
		s.silent = step == "table silent"
	case "table slow":
		s.line <- struct{}{}
	case "table quick":
		<-s.line
	case "daemon another":
		s.Leave(map[netip.Addr]bool{virtual: true})
	case "daemon ours":
		s.Leave(nil)
	case "daemon ended":
		s.Close(s.t.Context())
	default:
		time.Sleep(s.duration(step))
	}
}

// flush removes all services.
func (s *story) flush() {
	all, _ := s.fake.table.Read(s.t.Context())
	for key := range all {
		s.fake.table.Do(s.t.Context(), lvs.Op{Kind: lvs.DelService, Key: key})
	}
}
