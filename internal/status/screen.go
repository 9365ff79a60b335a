package status

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/printable"
)

// Screen shows successive reports on a terminal, trouble first. It marks servers that have changed since the previous
// report.
type Screen struct {
	Title string // begins the first line
	Plain bool   // no colours

	now, was *Report
	known    map[string]Row // the rows of the previous report
	silent   error          // why the daemon's last answer is missing; nil if it came
}

// Take receives the daemon's answer, which is a report or an error that explains why there is none.
func (s *Screen) Take(r *Report, err error) {
	if s.silent = err; err != nil {
		return
	}
	s.was, s.now, s.known = s.now, r, map[string]Row{}
	if s.was == nil {
		return
	}
	for i := range s.was.Virtuals {
		for _, r := range s.was.Virtuals[i].Rows() {
			s.known[r.Name()] = r
		}
	}
}

// Draw returns the text to write to a terminal of this size that does not wrap lines.
func (s *Screen) Draw(at time.Time, columns, rows int) string {
	lines := s.head(at)
	if s.now != nil {
		lines = append(lines, fit(s.body(rows-len(lines)), rows-len(lines))...)
	}
	lines = lines[:min(len(lines), rows)]
	var b strings.Builder
	for i, l := range lines {
		text, end := []rune(printable.Line(l.text)), "\x1b[m"
		if s.Plain {
			l.style, end = "", ""
		}
		// clear the line before writing it: afterwards, that would delete the last character of a full line
		fmt.Fprintf(&b, "\x1b[%d;1H\x1b[K%s%s%s", i+1, l.style, string(text[:min(len(text), columns)]), end)
	}
	if len(lines) < rows {
		fmt.Fprintf(&b, "\x1b[%d;1H\x1b[J", len(lines)+1)
	}
	return b.String()
}

// line is one line of the screen.
type line struct {
	text, style string
	server      bool // the line shows a server
	fine        bool // a server with nothing to report
	besides     bool // the server's virtual service is in trouble
}

const (
	bold    = "\x1b[1m"
	alarm   = "\x1b[1;31m"
	reverse = "\x1b[7m"
)

func styleOf(t Trouble) string { return [...]string{"", "\x1b[36m", "\x1b[33m", "\x1b[31m"}[t] }

// head returns the lines above the virtual services: the time, the title, and the remarks about the whole daemon.
func (s *Screen) head(at time.Time) []line {
	r, below, clock := s.now, "", at.Format(time.TimeOnly)
	if r != nil {
		clock = r.Zone.clock(at, at)
		below = fmt.Sprintf("; the lines below are %s old", Short(at.Sub(r.Time)))
	}
	lines := []line{{text: clock + "  " + s.Title, style: bold}}
	if s.silent != nil {
		lines = append(lines, line{text: fmt.Sprintf("NO ANSWER%s: %v", below, s.silent), style: alarm})
	}
	if r == nil {
		return lines
	}
	lines[0].text += ", " + r.Summary()
	lines = append(lines, line{text: fmt.Sprintf("%s, version %s, up for %s; configuration read %s ago", r.Doing(),
		r.Version, shortSeconds(r.Up), shortSeconds(r.Reloads.Ago))})
	for _, remark := range r.Remarks() {
		lines = append(lines, line{text: remark, style: alarm})
	}
	return append(lines, line{text: fmt.Sprintf(screenColumns, ' ', "REAL SERVER", "STATE", "FOR", "WEIGHT",
		"ACTIVE", "NEW/S", "LAST CHECK"), style: bold})
}

// screenColumns is the format of a server's line: mark, name, state, time in this state, weight, active connections,
// new connections per second, last check.
const screenColumns = "%c %-22s %-11s %6s %6s %6s %6s  %s"

// body returns the lines of all virtual services and their servers, with the most trouble first. If there is not enough
// room, servers or virtual services in trouble for the same reason share one line.
func (s *Screen) body(room int) []line {
	lines := s.services(nil)
	if len(lines) <= room {
		return lines
	}
	var ill []Row
	for _, v := range s.now.Services() {
		for _, r := range append([]Row{v}, v.At.Rows()...) {
			if r.Trouble >= Doubt {
				ill = append(ill, r)
			}
		}
	}
	lines = nil
	reported := map[string]bool{}
	for _, same := range Alike(WorstFirst(ill)) {
		if r := same[0]; len(same) > 1 {
			reported[r.Common()] = true
			text := fmt.Sprintf("  %d × %s", len(same), r.Common())
			lines = append(lines, line{text: text, style: styleOf(r.Trouble)})
		}
	}
	return append(lines, s.services(reported)...)
}

// services returns the lines of all virtual services and of their servers. It leaves out healthy fallback servers, and
// servers whose reason has already been reported.
func (s *Screen) services(reported map[string]bool) (lines []line) {
	for _, v := range WorstFirst(s.now.Services()) {
		lines = append(lines, line{text: "  " + v.At.title(), style: cmp.Or(styleOf(v.Trouble), bold)})
		if !reported[v.Common()] {
			lines = append(lines, remarked(v.At.Remarks(), v.Trouble)...)
		}
		remarks := v.At.once(s.now.Time)
		for _, r := range WorstFirst(v.At.Rows()) {
			if r.Trouble == Fine && r.Server.State == "fallback" || reported[r.Common()] {
				continue
			}
			l := s.server(&r)
			l.besides = v.Trouble > Fine
			lines = append(lines, l)
			if !l.fine {
				lines = append(lines, remarked(remarks(r.Server), r.Trouble)...)
			}
		}
	}
	return lines
}

func remarked(remarks []string, t Trouble) (lines []line) {
	for _, remark := range remarks {
		lines = append(lines, line{text: "      " + remark, style: styleOf(t)})
	}
	return lines
}

// server returns the line of a server, with a mark if it has changed.
func (s *Screen) server(r *Row) line {
	now, mark, style, fresh := s.now.Time, ' ', styleOf(r.Trouble), "-"
	was, known := s.known[r.Name()]
	if s.was != nil && (!known || was.Weight != r.Weight || was.Server.State != r.Server.State ||
		steady(was.Server.Note) != steady(r.Server.Note)) {
		mark, style = '*', style+reverse
	}
	if known {
		fresh = rate(was.Server.Connections, r.Server.Connections, now.Sub(s.was.Time))
	}
	text := fmt.Sprintf(screenColumns, mark, "  "+r.Server.Real, r.Server.State, For(r.Server, now),
		Number(r.Weight), Number(r.Active), fresh, LastCheck(r.Server, now))
	return line{text: text, style: style, server: true, fine: r.Trouble == Fine}
}

// rate returns the number of new connections per second. It returns "-" if this is not known, for example because the
// server was added to the table again.
func rate(c, now *lvs.Counters, since time.Duration) string {
	if c == nil || now == nil || now.Traffic.Connections < c.Traffic.Connections || since <= 0 {
		return "-"
	}
	return strconv.FormatFloat(float64(now.Traffic.Connections-c.Traffic.Connections)/since.Seconds(), 'f', 1, 64)
}

// fit leaves out lines if not all of them fit. In virtual services that are in trouble, it leaves out all lines of
// healthy servers. If the others still do not fit, it leaves out the last of them.
func fit(lines []line, room int) []line {
	if len(lines) <= room {
		return lines
	}
	var shown []line
	more, ill := 0, 0
	for _, l := range lines {
		switch {
		case !(l.fine && l.besides) && len(shown) < room-1:
			shown = append(shown, l)
		case l.server && l.fine:
			more++
		case l.server:
			more, ill = more+1, ill+1
		}
	}
	return append(shown, line{text: fmt.Sprintf("… and %d more, %d of them in trouble", more, ill), style: bold})
}
