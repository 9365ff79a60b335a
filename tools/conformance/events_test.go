package main

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Different wordings of an event are one. What happened, where, and with which weight must be equal.
func TestEventsOfTheLog(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/events.txt", 2) {
		e, ok := eventOf(row[0])
		testkit.Equal(t, e.text, row[1], row[0])
		testkit.Equal(t, ok, row[1] != "", row[0], "is an event")
	}
}

func TestEventsStandServerByServer(t *testing.T) {
	got := eventsIn([]string{
		"[Mon Jan  2 15:04:05 2006|ldirectord.cf|12] Deleted real server: 10.2.0.2:80 (10.1.0.1:80)",
		"[Mon Jan  2 15:04:05 2006|ldirectord.cf|12] Deleted real server: 10.2.0.1:80 (10.1.0.1:80)",
		"[Mon Jan  2 15:04:06 2006|ldirectord.cf|12] Added real server: 10.2.0.2:80 (10.1.0.1:80) (Weight " +
			"set to 1)",
		"[Mon Jan  2 15:04:06 2006|ldirectord.cf|12] Reloading Linux Director Daemon config on signal: HUP",
	}, usualKinds)
	want := []string{
		"deleted real 10.2.0.1:80 via 10.1.0.1:80",
		"deleted real 10.2.0.2:80 via 10.1.0.1:80",
		"added real 10.2.0.2:80 via 10.1.0.1:80 weight 1",
	}
	testkit.Same(t, got, want)
}

func TestMailIsTold(t *testing.T) {
	subject := "[Shop] Deleted real server: 10.2.0.1:80 (10.1.0.1:80)"
	m := mail{From: "root@director", To: []string{"b@x, a@x"}, Data: []string{
		"From: me", "To: b@x, a@x", "Subject: " + subject, "", "ldirectord host: director", "Log-Message: " +
			subject}}
	about, lines := m.describe()
	want := `mail to=b@x, a@x envelope-from=root@director rcpt=a@x,b@x
  from: me
  subject: [Shop] deleted real 10.2.0.1:80 via 10.1.0.1:80
  body ldirectord host = director
  body log-message = subject`
	if got := strings.Join(lines, "\n"); got != want || !strings.Contains(lines[2], about) {
		t.Errorf("%s\n%s", about, got)
	}
}

func TestMonitorFoldsRepetitions(t *testing.T) {
	got := monitored([]string{
		"[Mon Jan  2 15:04:05 2006] [12] http tcp 10.2.0.2 80 [up] 200 OK",
		"[Mon Jan  2 15:04:06 2006] [12] http tcp 10.2.0.2 80 [up] 200 OK",
		"[Mon Jan  2 15:04:06 2006] [12] http tcp 10.2.0.1 80 [down] -",
		"nonsense",
	})
	want := []string{"unreadable nonsense", "10.2.0.1:80 down -", "10.2.0.2:80 up 200 OK"}
	testkit.Same(t, got, want)
}
