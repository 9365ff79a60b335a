package daemon

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// The log of a daemon with a user of its own is in the folder that systemd made for it, and not in another unit's.
func TestTheLogOfTheUnit(t *testing.T) {
	for dir, want := range map[string]string{
		"":                    "",
		"/var/log/ldirectord": "/var/log/ldirectord/ldirectord.log",
		"/var/log/keepalived": "",
	} {
		t.Setenv("LOGS_DIRECTORY", dir)
		testkit.Equal(t, logOfUnit(), want, dir)
	}
}

// A panic between the text of a file and its plan refuses the file, with what was found before, and names the place.
func TestAPanicRefusesTheFile(t *testing.T) {
	s := Source{Path: "x.cf"} // without an environment no checker can be built
	l := s.prepare(t.Context(), []byte("nosuch=1\nvirtual=192.0.2.10:80\n\treal=192.0.2.11:80 masq\n"),
		parser.Options{})
	if errs := l.Found.Errors(); l.Plan != nil || l.Config != nil || len(errs) != 2 ||
		!strings.Contains(errs[1].Text, "a fault in ldirectord: ") ||
		!strings.Contains(errs[1].Text, "environment.go:") {
		t.Errorf("a plan: %v; found: %v", l.Plan != nil, l.Found)
	}
}
