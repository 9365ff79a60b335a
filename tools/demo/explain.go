package main

import (
	"regexp"
	"strings"
)

// The daemon's log says what it did to the table in these forms, with or without the time in front.
var (
	refused = regexp.MustCompile(`(?:^|\] )Error \[\d+\]`)
	change  = regexp.MustCompile(`(?:^|\] )(?:Readd )?(\w+) (real|fallback) server: (\S+)`)
	weights = regexp.MustCompile(`Weight set to (\d+)`)
)

// meanings say what a change of the table means for clients of the virtual service; NAME and WEIGHT are replaced. What
// is not here speaks for itself.
var meanings = map[string]string{
	"Added real":       "NAME passed its check: it is in service with weight WEIGHT.",
	"Added resting":    "NAME is in the table with weight 0: it gets no new connections.",
	"Restored real":    "NAME is in service with weight WEIGHT.",
	"Quiescent real":   "NAME failed its check: with weight 0 it gets no new connections.",
	"Deleted real":     "NAME failed its check: it is out of the table.",
	"Added fallback":   "No web server is left: the NAME answers.",
	"Deleted fallback": "A web server is back: the NAME leaves.",
}

// explain says in plain words what a log line means, "" when it speaks for itself.
func (s *stage) explain(line string) string {
	if refused.MatchString(line) {
		return "Nothing changes: the daemon continues with what it had."
	}
	m := change.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	weight := "1"
	if w := weights.FindStringSubmatch(line); w != nil {
		weight = w[1]
	}
	what := m[1] + " " + m[2]
	if what == "Added real" && weight == "0" { // it failed its first check, or the file says so
		what = "Added resting"
	}
	return strings.NewReplacer("NAME", s.nameOf(m[3]), "WEIGHT", weight).Replace(meanings[what])
}

// nameOf is the name of the server at an address, or the address if it is no server of the demo.
func (s *stage) nameOf(addr string) string {
	if addr == s.sorry.addr {
		return s.sorry.name
	}
	for _, w := range s.webs {
		if addr == w.addr {
			return w.name
		}
	}
	return addr
}
