package status

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// drawing matches what a Screen sends: a move, a colour, an erasure, or a character.
var drawing = regexp.MustCompile(`\x1b\[([0-9]*)(?:;[0-9]+)?([HJKm])|(?s:.)`)

// written is what the terminal shows, with a frame of its size. Like a terminal, it erases from the last character of
// a full line.
func written(t *testing.T, s *Screen, at time.Time, columns, rows int) string {
	t.Helper()
	inUTC(t)
	shown, row, column := make([]string, max(rows, 1)), 0, 0
	cut := func(i int) string {
		return string([]rune(shown[i])[:min(column, max(columns-1, 0), len([]rune(shown[i])))])
	}
	for _, m := range drawing.FindAllStringSubmatch(s.Draw(at, columns, rows), -1) {
		switch m[2] {
		case "H":
			row, _ = strconv.Atoi(m[1])
			row, column = row-1, 0
		case "K":
			shown[row] = cut(row)
		case "J":
			shown[row] = cut(row)
			clear(shown[row+1:])
		case "":
			if column++; column > columns || m[0] < " " {
				t.Errorf("line %d, column %d: %q", row+1, column, m[0])
			}
			shown[row] += m[0]
		}
	}
	return strings.TrimRight(fmt.Sprintf("---- %d × %d\n", columns, rows)+
		trailing.ReplaceAllString(strings.Join(shown, "\n"), ""), "\n") + "\n"
}

var trailing = regexp.MustCompile(`(?m) +$`)

// later is the report some seconds later, with a change.
func later(t *testing.T, r *Report, seconds time.Duration, change func(*Report)) *Report {
	t.Helper()
	after := *r
	after.Virtuals = slices.Clone(r.Virtuals)
	for i := range after.Virtuals {
		after.Virtuals[i].Servers = slices.Clone(r.Virtuals[i].Servers)
		for k := range after.Virtuals[i].Servers {
			after.Virtuals[i].Servers[k].InState += float64(seconds)
		}
	}
	after.Time = r.Time.Add(seconds * time.Second)
	after.setAges(after.Time)
	change(&after)
	return &after
}

func counted(n uint64) *lvs.Counters {
	return &lvs.Counters{Active: 120, Traffic: lvs.Traffic{Connections: n}}
}

func TestTheScreen(t *testing.T) {
	at := testkit.Time("2000-01-01T00:10:01Z")
	first := NewReport(carrying(t), process())
	shop := func(r *Report) []Server { return r.Virtuals[0].Servers }
	shop(first)[0].Connections = counted(1 << 40)
	shop(first)[3].Connections = counted(500)
	second := later(t, first, 2, func(r *Report) {
		shop(r)[0].Connections = counted(1<<40 + 257)
		shop(r)[3].Connections = counted(3)
		shop(r)[1].State, shop(r)[1].Conditions = "up", nil
		r.Virtuals[1].Fallback.Active = true
		r.Virtuals[0].Leaving = []view.Departure{
			{Real: "192.0.2.99:80", Note: "draining, 12 connections, 3m40s left"}}
		r.Virtuals[3].Servers = append(r.Virtuals[3].Servers,
			Server{Real: "[2001:db8::2]:80", State: "up", Since: at, Note: "\x1b]0;x\a"})
		learn(r)
	})
	s := &Screen{Title: "ld.cf"}
	s.Take(nil, errors.New("asking the daemon: no such file"))
	var all strings.Builder
	all.WriteString(written(t, s, at, 80, 24))
	s.Take(first, nil)
	all.WriteString(written(t, s, at, 80, 60))
	s.Take(second, nil)
	all.WriteString(written(t, s, at.Add(2*time.Second), 80, 60))
	s.Take(nil, errors.New("asking the daemon: connection refused"))
	all.WriteString(written(t, s, at.Add(7*time.Second), 80, 24))
	all.WriteString(written(t, s, at.Add(7*time.Second), 40, 12))
	for _, size := range [][2]int{{1, 1}, {0, 0}, {80, 3}, {3, 80}} {
		written(t, s, at, size[0], size[1])
	}
	golden(t, "screen", all.String())
}

// learn makes conditions of the old fields of servers that have none.
func learn(r *Report) {
	for i := range r.Virtuals {
		for k := range r.Virtuals[i].Servers {
			r.Virtuals[i].Servers[k].Learn()
		}
	}
}

// Of many servers those that are down are shown first, even in front of healthy servers of their own service.
func TestABigScreenShowsTroubleFirst(t *testing.T) {
	at := time.Unix(1e9, 0).UTC()
	r := &Report{Running: true, Time: at, Started: at, Reloads: Reloads{Last: at}, Table: Table{},
		Checks: &Checks{}, Phase: "running"}
	for i := range 60 {
		v := Virtual{ID: fmt.Sprintf("tcp:10.1.0.%d:80", i), Scheduler: "wrr", Written: true, Serving: 3}
		for j := range 4 {
			v.Servers = append(v.Servers,
				Server{Real: fmt.Sprintf("10.2.%d.%d:80", i, j), State: "up", Since: at})
		}
		r.Virtuals = append(r.Virtuals, v)
	}
	r.Virtuals[40].Servers[3].State, r.Virtuals[40].Servers[3].Reason = "down", "connect: connection refused"
	r.Virtuals[50].Servers[2].State = "maintenance"
	r.Virtuals[50].Servers[2].Conditions = []view.Condition{{Kind: "maintenance", Trouble: Noted}}
	learn(r)
	s := &Screen{Title: "ld.cf", Plain: true}
	s.Take(r, nil)
	shown := written(t, s, at, 80, 24)
	if drawn := s.Draw(at, 80, 24); strings.Contains(drawn, "m") &&
		regexp.MustCompile(`\x1b\[[0-9;]*m`).MatchString(drawn) {
		t.Error("there are colours where none are wanted")
	}
	for i := range 30 {
		r.Virtuals[i].Servers[0].State = "down"
	}
	for i := range 7 { // for other reasons: four servers are one row, three are not
		r.Virtuals[i].Servers[1].State = "down"
		r.Virtuals[i].Servers[1].Reason = []string{"status 503", "status 500"}[i/4]
	}
	learn(r)
	golden(t, "screen.big", shown+written(t, s, at, 80, 24))
}

// Whatever text a report has, the terminal only gets sequences that move, erase and colour.
func TestWordsOfOthersMoveNothingOnTheScreen(t *testing.T) {
	const evil = "\x1b]0;x\a\x1b[2J\u009b2J\r\n\b\u202e\xff"
	at := time.Unix(1e9, 0).UTC()
	down := Server{Real: evil, State: "down" + evil, Since: at, Reason: evil, Note: evil}
	down.Conditions = []view.Condition{{Kind: evil, Trouble: Broken, Text: evil}}
	down.Check = &Check{Cause: evil, Detail: evil, Time: at}
	s := &Screen{Title: "ld.cf"}
	s.Take(&Report{
		Time: at, Started: at, Version: evil, Phase: evil, MarkError: evil, Failures: []Failure{{Text: evil}},
		Table: Table{Error: evil}, Reloads: Reloads{Last: at, Error: evil}, Checks: &Checks{},
		Virtuals: []Virtual{{ID: evil, Scheduler: evil, Error: evil, Servers: []Server{down},
			Leaving: []view.Departure{{Real: evil, State: evil, Note: evil}}}},
	}, nil)
	s.Take(nil, errors.New(evil))
	rest := regexp.MustCompile(`\x1b\[(\d+;1H|K|J|[\d;]*m)`).ReplaceAllString(s.Draw(at, 200, 60), "")
	if i := strings.IndexFunc(rest, func(r rune) bool {
		return !unicode.IsPrint(r) ||
			r == utf8.RuneError
	}); i >= 0 || !strings.Contains(rest, `\u202e`) {
		t.Errorf("%q", rest)
	}
}
