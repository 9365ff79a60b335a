package core

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// words make a server of a word of fellows.txt. The words that are always said of a trait are left out there.
var words = map[string]struct {
	trait
	always string
	server func(t *testing.T, word, more string) shown
}{
	"certificate": {certificate, "shows a different certificate ", func(t *testing.T, cert, days string) shown {
		ends := newYear.Add(time.Duration(number(t, days)) * 24 * time.Hour).Unix()
		return shown{certs: certificates{uint32(number(t, cert)), ends}}
	}},
	"version": {version, "shows ", func(_ *testing.T, text, _ string) shown { return shown{text: text} }},
	"delay": {delay, "answers in ", func(t *testing.T, ms, _ string) shown {
		return shown{took: uint32(number(t, ms) * 1000)}
	}},
	"share": {share, "gets ", func(t *testing.T, got, due string) shown {
		return shown{got: uint8(number(t, got)), due: uint8(number(t, due))}
	}},
}

func TestWhoDiffersFromOthers(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/core/fellows.txt", 4) {
		of := words[row[0]]
		var all []shown
		for word := range strings.FieldsSeq(row[2]) {
			one := shown{}
			if word != "-" {
				first, more, _ := strings.Cut(word, "/")
				one = of.server(t, first, more)
			}
			all = append(all, one)
		}
		n, said := normOf(all, nil), []string{}
		for i := range all {
			if says := n.differs(&all[i], newYear)[of.trait]; says != "" {
				said = append(said, fmt.Sprintf("%d: %s", i, strings.Replace(says, of.always, "", 1)))
			}
		}
		testkit.Equal(t, strings.Join(said, " "), row[3], row[0], row[1])
	}
}

func TestTheMeanOfTenAnswers(t *testing.T) {
	var a answers
	for range 9 {
		a.add(time.Millisecond)
	}
	testkit.Equal(t, a.mean, 0, "after nine")
	a.add(11 * time.Millisecond)
	testkit.Equal(t, a, answers{mean: 2000}, "after ten")
	for took, want := range map[time.Duration]uint32{time.Hour: 300_000_000, 0: 1} {
		for range 10 {
			a.add(took)
		}
		testkit.Equal(t, a.mean, want, "of ten that take", took)
	}
}

func number(t *testing.T, word string) int {
	return testkit.Must(strconv.Atoi(word))(t)
}

func TestWhatAServerShows(t *testing.T) {
	changes := map[string]func(*server){
		"few":           func(s *server) { s.first.check.mean = 0 },
		"fails":         func(s *server) { s.first.check.last.OK = false },
		"another-fails": func(s *server) { addCheck(s, checker.Result{}) },
		"ends-at-60": func(s *server) {
			addCheck(s, checker.Result{OK: true, Cert: 8, CertEnd: 60, Shows: "v2"})
		},
		"ends-at-80": func(s *server) { addCheck(s, checker.Result{OK: true, Cert: 8, CertEnd: 80}) },
		"share":      func(s *server) { s.got, s.due = 61, 33 },
		"counted":    func(s *server) { s.counted = true },
		"moved":      func(s *server) { s.MovedTo = 0 },
		"unchecked":  func(s *server) { s.first.check = nil },
	}
	for _, row := range testkit.Table(t, "../../testdata/core/shown.txt", 3) {
		s := serverOf(lvs.Dest{Addr: someAddr})
		v := virtualOf(&parser.Virtual{}, s)
		s.first.check.last = checker.Result{OK: true, Cert: 7, CertEnd: 70, Shows: "v1"}
		s.first.check.mean = 5
		addCheck(s, checker.Result{}).agent = true
		for word := range strings.FieldsSeq(row[1]) {
			changes[word](s)
		}
		testkit.Equal(t, strings.Trim(fmt.Sprint(v.shows(s)), "{}"), row[2], row[0])
	}
}

// addCheck adds a check to a server, after its first one.
func addCheck(s *server, last checker.Result) *check {
	j := &judgement{check: &check{last: last, answers: answers{mean: 9}}, k: s.first.k + 1, next: s.first.next}
	s.first.next = j
	return j.check
}

// A connect between two full checks (checktype = N) sees nothing, and what they saw stays. Only successes have a time.
func TestWhatIsKeptOfResults(t *testing.T) {
	task, c := &schedule.Task{}, &check{}
	e := examiner{services: &services{}, checks: map[*schedule.Task]*check{task: c}}
	for _, row := range []struct {
		what string
		is   checker.Result
		cert uint32
		text string
		n    uint8
	}{
		{"a full check", checker.Result{OK: true, Cert: 7, Shows: "v1", Stage: wire.AtMatch}, 7, "v1", 1},
		{"a connect", checker.Result{OK: true, Stage: wire.AtConnect}, 7, "v1", 2},
		{"a failure", checker.Result{Stage: wire.AtConnect}, 0, "", 2},
		{"another version", checker.Result{OK: true, Shows: "v2", Stage: wire.AtMatch}, 0, "v2", 3},
	} {
		e.results([]schedule.Update{{Task: task, Result: row.is}})
		if c.last.Cert != row.cert || c.last.Shows != row.text || c.n != row.n {
			t.Errorf("%s: %+v", row.what, c)
		}
	}
}

// Servers that are alike cost no memory, however many sections there are, nor does a difference that is over.
func TestComparingAllocatesNothing(t *testing.T) {
	s := serverOf(lvs.Dest{Addr: someAddr})
	s.first.check.at, s.first.check.mean = 1, 1
	s.first.check.last = checker.Result{OK: true, Cert: 7}
	v := virtualOf(&parser.Virtual{Settings: parser.Settings{SameWait: 600}}, s, s, s)
	v.Service = &plan.Service{Config: v.Config}
	e := examiner{services: &services{virtuals: []*virtual{v}, tell: teller{clock: newYear}}}
	e.compare()
	if n := testing.AllocsPerRun(100, e.compare); n != 0 || s.recent != nil {
		t.Errorf("%v allocations", n)
	}
	memoryOf(v, s).differs([traits]string{version: "odd"}, newYear)
	if e.compare(); s.odd != nil {
		t.Errorf("it is remembered: %v", s.odd)
	}
}

func TestSharesOfNewConnections(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/core/share.txt", 4) {
		var v *virtual
		now := newYear
		for look := range strings.SplitSeq(row[2], "; ") {
			look, soon := strings.CutPrefix(look, "soon ")
			words := strings.Fields(look)
			if v == nil {
				servers := make([]*server, len(words))
				for i := range servers {
					at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 80)
					servers[i] = serverOf(lvs.Dest{Addr: at})
				}
				cfg := &parser.Virtual{Settings: parser.Settings{SameWait: 600}}
				v = virtualOf(cfg, servers...)
				v.Service = &plan.Service{Config: cfg, Settings: lvs.Settings{Scheduler: row[1]}}
			}
			var have lvs.Dests
			for i, word := range words {
				more, weight, _ := strings.Cut(word, "/")
				s := v.servers[i]
				s.carries.Traffic.Connections += uint64(number(t, more))
				have.Put(lvs.Dest{Addr: s.Dest.Addr, Weight: uint32(number(t, weight))})
			}
			if soon {
				now = now.Add(-time.Second)
			}
			v.share(have, now)
			now = now.Add(time.Minute)
		}
		var got []string
		for _, s := range v.servers {
			got = append(got, fmt.Sprintf("%d/%d", s.got, s.due))
		}
		testkit.Equal(t, strings.Join(got, " "), row[3], row[0])
	}
}
