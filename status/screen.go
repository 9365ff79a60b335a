package status

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ldirectord/printable"
)

// Screen shows reports on a terminal, one after the other: trouble first, and a mark at what changed since the one before.
type Screen struct {
	Title string // begins the first line
	Plain bool   // no colours

	now, was *Report
	known    map[string]*Server // of was
	silent   error              // why the daemon did not answer the last time; nil when it did
}

// Take takes the answer of the daemon: its report, or why there is none.
func (s *Screen) Take(r *Report, err error) {
	if s.silent = err; err != nil {
		return
	}
	s.was, s.now, s.known = s.now, r, map[string]*Server{}
	for i := 0; s.was != nil && i < len(s.was.Virtuals); i++ {
		v := &s.was.Virtuals[i]
		for j := range v.Servers {
			s.known[v.ID+" "+v.Servers[j].Real] = &v.Servers[j]
		}
	}
}

// Draw is what to write at a time to a terminal of that size, which breaks no lines by itself.
func (s *Screen) Draw(at time.Time, columns, rows int) string {
	lines := s.head(at)
	if s.now != nil {
		lines = append(lines, fit(s.body(), rows-len(lines))...)
	}
	lines = lines[:min(len(lines), rows)]
	var b strings.Builder
	for i, l := range lines {
		text, end := []rune(printable.Line(l.text)), "\x1b[m"
		if s.Plain {
			l.style, end = "", ""
		}
		// cleared before it is written: after a full line that would take its last character
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
	server      bool // it is the line of a server, …
	fine        bool // … that is up without a word …
	besides     bool // … where others are not
}

// trouble is how much there is to see of something.
type trouble uint8

const (
	fine   trouble = iota
	noted          // the operator wants it so
	doubt          // something speaks against it, or nothing is known
	broken         // out of service against the operator's will, or held
)

const (
	bold    = "\x1b[1m"
	alarm   = "\x1b[1;31m"
	reverse = "\x1b[7m"
)

func (t trouble) style() string { return [...]string{"", "\x1b[36m", "\x1b[33m", "\x1b[31m"}[t] }

func (s *Server) trouble() trouble {
	switch {
	case s.State == "down":
		return broken
	case s.State == "unknown", s.Unjudged != "", s.ByHand, s.Streak > 0:
		return doubt
	case s.State == "up" && s.Note == "":
		return fine
	default:
		return noted
	}
}

func (v *Virtual) trouble() (worst trouble) {
	for i := range v.Servers {
		worst = max(worst, v.Servers[i].trouble())
	}
	switch {
	case v.Error != "", v.Fallback != nil && v.Fallback.Active, v.Up() == 0 && worst >= doubt:
		return broken
	case len(v.Leaving) > 0, len(v.Added) > 0:
		return max(worst, noted)
	default:
		return worst
	}
}

// head says what the screen is of.
func (s *Screen) head(at time.Time) []line {
	lines := []line{{text: at.Format(time.TimeOnly) + "  " + s.Title, style: bold}}
	if s.silent != nil {
		lines = append(lines, line{text: "NO ANSWER: " + s.silent.Error(), style: alarm})
	}
	r := s.now
	if r == nil {
		return lines
	}
	if s.silent != nil {
		lines[1].text = fmt.Sprintf("NO ANSWER, below is what was %s ago: %v", Short(at.Sub(*r.Time)), s.silent)
	}
	ill, servers, up := 0, 0, 0
	for i := range r.Virtuals {
		v := &r.Virtuals[i]
		servers, up = servers+len(v.Servers), up+v.Up()
		if v.trouble() == broken {
			ill++
		}
	}
	lines[0].text += fmt.Sprintf(": %d of %d servers up, %d of %d services in trouble", up, servers, ill, len(r.Virtuals))
	lines = append(lines, line{text: fmt.Sprintf("%s, version %s, up for %s; configuration of %s ago", r.Doing(), r.Version, Short(r.Time.Sub(*r.Started)), Short(r.Time.Sub(r.Reloads.Last)))})
	for _, remark := range r.Remarks() {
		lines = append(lines, line{text: remark, style: alarm})
	}
	return append(lines, line{text: fmt.Sprintf(screenColumns, ' ', "REAL SERVER", "STATE", "FOR", "WEIGHT", "ACTIVE", "NEW/S", "LAST CHECK"), style: bold})
}

// screenColumns of a server: a mark, its name, state, time in it, weight, active connections, new ones a second, last check.
const screenColumns = "%c %-22s %-11s %6s %6s %6s %6s  %s"

// body are all virtual services and their servers, those with the most trouble first.
func (s *Screen) body() (lines []line) {
	for _, v := range worstFirst(s.now.Virtuals, (*Virtual).trouble) {
		t := v.trouble()
		lines = append(lines, line{text: fmt.Sprintf("  %s %s, %d of %d up", v.ID, cmp.Or(v.Scheduler, "none"), v.Up(), len(v.Servers)), style: cmp.Or(t.style(), bold)})
		remarks := append(v.Remarks(), v.addedByHand())
		if v.Fallback != nil && v.Fallback.Active {
			remarks = append(remarks, "the fallback server "+v.Fallback.Server+" answers")
		}
		for _, l := range v.Leaving {
			remarks = append(remarks, l.Real+", which is not in the file: "+l.Note)
		}
		lines = append(lines, remarked(remarks, t)...)
		for _, r := range worstFirst(v.Servers, (*Server).trouble) {
			l := s.server(r, s.known[v.ID+" "+r.Real])
			l.besides = t > fine
			lines = append(lines, l)
			if !l.fine {
				lines = append(lines, remarked(r.Remarks(*s.now.Time), r.trouble())...)
			}
		}
	}
	return lines
}

func worstFirst[T any](list []T, trouble func(*T) trouble) []*T {
	sorted := make([]*T, len(list))
	for i := range list {
		sorted[i] = &list[i]
	}
	slices.SortStableFunc(sorted, func(a, b *T) int { return cmp.Compare(trouble(b), trouble(a)) })
	return sorted
}

func remarked(remarks []string, t trouble) (lines []line) {
	for _, remark := range remarks {
		if remark != "" {
			lines = append(lines, line{text: "      " + remark, style: t.style()})
		}
	}
	return lines
}

// server is the line of a server, with a mark where it is not as it was.
func (s *Screen) server(r, was *Server) line {
	mark, t, active, fresh := ' ', r.trouble(), "-", "-"
	style := t.style()
	if s.was != nil && (was == nil || was.State != r.State || was.Note != r.Note || weightOf(was.TableWeight) != weightOf(r.TableWeight)) {
		mark, style = '*', style+reverse
	}
	if r.Connections != nil {
		active = strconv.FormatUint(uint64(r.Connections.Active), 10)
		if was != nil {
			fresh = was.Connections.rate(r.Connections, s.now.Time.Sub(*s.was.Time))
		}
	}
	text := fmt.Sprintf(screenColumns, mark, "  "+r.Real, r.State, Short(s.now.Time.Sub(r.Since)), weightOf(r.TableWeight), active, fresh, r.Check.Summary(*s.now.Time))
	return line{text: text, style: style, server: true, fine: t == fine}
}

// rate is how many new connections there were each second; "-" where that is not known, as for a server that was put in
// the table anew.
func (c *Connections) rate(now *Connections, since time.Duration) string {
	if c == nil || c.Traffic == nil || now.Traffic == nil || now.Traffic.Connections < c.Traffic.Connections || since <= 0 {
		return "-"
	}
	return strconv.FormatFloat(float64(now.Traffic.Connections-c.Traffic.Connections)/since.Seconds(), 'f', 1, 64)
}

// fit leaves out what has no room: first the servers that are fine in virtual services that are not.
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
	rest := fmt.Sprintf("… and %d more, all up", more)
	if ill > 0 {
		rest = fmt.Sprintf("… and %d more, %d of them in trouble", more, ill)
	}
	return append(shown, line{text: rest, style: bold})
}
