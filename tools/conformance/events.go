package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// event is a line of the log without its wording.
type event struct {
	kind    string // added, deleted, quiescent, …
	server  string
	virtual string
	text    string // kind, server, virtual and weight in one form
}

// usualKinds are the events of real servers and fallbacks.
var usualKinds = []string{"added", "restored", "quiescent", "readd", "deleted", "purged", "softfail"}

const address = `(?:\d+\.\d+\.\d+\.\d+|\[[0-9a-fA-F:]+\])(?::\d+)?`

var (
	linePrefix = regexp.MustCompile(`^\[[^\]]*\|[^|]*\|\d+\] `)
	inAddress  = regexp.MustCompile(address)
	inBrackets = regexp.MustCompile(`\((?:(?:tcp|udp|fwm6?):)?(` + address + `|\d+)\)`)
	inWeight   = regexp.MustCompile(`(?i)weight set to (\d+)`)
	atLine     = regexp.MustCompile(`at line (\d+)|:(\d+):\d+`)

	softFailure   = regexp.MustCompile(`(?i)soft failure.*?(\d+)\s*/\s*(\d+)\s*$`)
	softReset     = regexp.MustCompile(`(?i)reset.*soft failure`)
	readded       = regexp.MustCompile(`(?i)^re-?add(?:ed)? quiescent`)
	serverEvent   = regexp.MustCompile(`(?i)^(added|restored|deleted|quiescent|purged) (?:real|fallback)`)
	virtualEvent  = regexp.MustCompile(`(?i)^(added|changed|purged) virtual server\b[^:]*:\s*(\S+)`)
	terminated    = regexp.MustCompile(`(?i)terminated on signal:?\s*(\w+)`)
	configMessage = regexp.MustCompile(`(?i)^(error|warning)\b`)
)

// simpleEvents are known by words alone.
var simpleEvents = []struct{ words, kind string }{
	{"changed on disk", "config-changed"},
	{"reread", "config-reread"},
	{"ignore new", "config-ignored"},
	{"reloading", "reloading"},
	{"starting linux", "starting"},
	{"is stopped for", "stopped"},
}

// eventOf reads a message of the log; ok is false where it tells nothing that is compared.
func eventOf(message string) (e event, ok bool) {
	message = strings.TrimSpace(message)
	head := strings.NewReplacer("(start)", "", "(stop)", "").Replace(message)
	via := ""
	if m := inBrackets.FindStringSubmatch(head); m != nil {
		via = m[1]
		head, _, _ = strings.Cut(head, "(")
	}
	server := inAddress.FindString(head)
	weight := ""
	if m := inWeight.FindStringSubmatch(message); m != nil {
		weight = " weight " + m[1]
	}
	role := "real"
	if strings.Contains(strings.ToLower(message), "fallback server") {
		role = "fallback"
	}
	of := func(kind, text string) (event, bool) { return event{kind, server, via, text}, true }

	if m := softFailure.FindStringSubmatch(message); m != nil {
		return of("softfail", fmt.Sprintf("softfail %s via %s %s/%s", server, via, m[1], m[2]))
	}
	if softReset.MatchString(message) {
		return of("softreset", fmt.Sprintf("softreset %s via %s", server, via))
	}
	if readded.MatchString(message) {
		return of("readd", fmt.Sprintf("readd %s %s via %s%s", role, server, via, weight))
	}
	if m := serverEvent.FindStringSubmatch(message); m != nil {
		kind := strings.ToLower(m[1])
		if kind == "quiescent" {
			weight = ""
		}
		return of(kind, fmt.Sprintf("%s %s %s via %s%s", kind, role, server, via, weight))
	}
	return daemonEvent(message)
}

// daemonEvent reads what is not about one server.
func daemonEvent(message string) (event, bool) {
	if m := virtualEvent.FindStringSubmatch(message); m != nil {
		kind := strings.ToLower(m[1]) + "-virtual"
		return event{kind: kind, server: m[2], text: kind + " " + m[2]}, true
	}
	for _, simple := range simpleEvents {
		if strings.Contains(strings.ToLower(message), simple.words) {
			return event{kind: simple.kind, text: simple.kind}, true
		}
	}
	if m := terminated.FindStringSubmatch(message); m != nil &&
		!strings.HasPrefix(strings.ToLower(message), "exiting") {
		return event{kind: "terminated", text: "terminated " + strings.ToUpper(m[1])}, true
	}
	if m := configMessage.FindStringSubmatch(message); m != nil {
		kind := "config-" + strings.ToLower(m[1])
		text := kind
		if at := atLine.FindStringSubmatch(message); at != nil {
			text += " line " + at[1] + at[2]
		}
		return event{kind: kind, text: text}, true
	}
	return event{}, false
}

// eventsIn lists the events of some kinds, server by server, each server's in their order: the order between
// servers says nothing, for checks run at the same time.
func eventsIn(lines, kinds []string) (texts []string) {
	var events []event
	for _, line := range lines {
		e, ok := eventOf(linePrefix.ReplaceAllString(line, ""))
		if ok && slices.Contains(kinds, e.kind) {
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b event) int {
		return strings.Compare(a.virtual+" "+a.server, b.virtual+" "+b.server)
	})
	for _, e := range events {
		texts = append(texts, e.text)
	}
	return texts
}

var monitorLine = regexp.MustCompile(`^\[[^\]]*\] \[\d+\] (.*?) \[(up|down)\] (.*)$`)
var monitorServer = regexp.MustCompile(`(\d+\.\d+\.\d+\.\d+|\[[0-9A-Fa-f: ]+\]) (\d+)`)

// monitored lists what a monitorfile tells, server by server, without repetition.
func monitored(lines []string) []string {
	type record struct{ server, text string }
	var records []record
	last := map[string]string{}
	for _, line := range lines {
		m := monitorLine.FindStringSubmatch(line)
		if m == nil {
			records = append(records, record{"", "unreadable " + line})
			continue
		}
		server := m[1]
		if a := monitorServer.FindStringSubmatch(m[1]); a != nil {
			server = a[1] + ":" + a[2]
		}
		if text := server + " " + m[2] + " " + m[3]; last[server] != text {
			records = append(records, record{server, text})
			last[server] = text
		}
	}
	slices.SortStableFunc(records, func(a, b record) int { return strings.Compare(a.server, b.server) })
	var texts []string
	for _, r := range records {
		texts = append(texts, r.text)
	}
	return texts
}
