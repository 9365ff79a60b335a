package lab

import (
	"strings"
	"time"
)

// private are the private services of the director, in the form of ipvsadm -Sn.
func (l *lab) private() (text string) {
	for _, line := range strings.Split(l.ipvsadm("-Sn"), "\n") {
		if strings.Contains(line, "-f 127") || strings.Contains(line, "-f 128") {
			text += line + "\n"
		}
	}
	return text
}

func (l *lab) privateIs(want string) {
	l.t.Helper()
	l.await(5*time.Second, func() bool { return l.private() == want }, "private services:", l.private, "want", want)
}

// privateAre waits for n private services with one server each, and returns them. A daemon makes them with its first
// checks, and start does not wait for all of those.
func (l *lab) privateAre(n int) (made string) {
	l.t.Helper()
	l.await(5*time.Second, func() bool {
		made = l.private()
		return strings.Count(made, "-A ") == n && strings.Count(made, "-a ") == n
	}, "want private services:", n, l.private)
	return made
}
