package lab

import (
	"os"
	"strings"
	"time"
)

// marks are the rules of the director's mangle table.
func (l *lab) marks() string {
	l.t.Helper()
	return l.runIn("dir", "iptables", "-t", "mangle", "-S")
}

func (l *lab) wantMarks(lines ...string) {
	l.t.Helper()
	if missing := unlike(l.marks(), lines); missing != "" {
		l.t.Fatalf("the rules do not have: %s\n%s\nlog:\n%s", missing, l.marks(), l.logText())
	}
}

// within waits for rules, and for the only jump that leads to them: a chain is filled before the jump.
func (l *lab) within(limit time.Duration, lines ...string) {
	l.t.Helper()
	l.await(limit, func() bool {
		marks := l.marks()
		return unlike(marks, lines) == "" && strings.Count(marks, "-A PREROUTING -j LDIRECTORD") == 1
	}, "want one jump, and", lines, l.marks)
}

// saysWithin waits for a line of the log.
func (l *lab) saysWithin(limit time.Duration, text string) {
	l.t.Helper()
	l.saysSince(0, limit, text)
}

// saysSince waits for a line of the log after a position.
func (l *lab) saysSince(before int, limit time.Duration, text string) {
	l.t.Helper()
	l.fileSays(l.log, before, limit, text)
}

// fileSays is saysSince for any log, which may not exist yet.
func (l *lab) fileSays(log string, before int, limit time.Duration, text string) {
	l.t.Helper()
	said := func() string {
		all, _ := os.ReadFile(log)
		return string(all[min(before, len(all)):])
	}
	l.await(limit, func() bool { return strings.Contains(said(), text) }, log, "does not have:", text, said)
}
