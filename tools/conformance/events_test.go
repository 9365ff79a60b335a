package main

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Different wordings of an event are one. What happened, where, and with which weight must be equal.
func TestEventsOfTheLog(t *testing.T) {
	for message, want := range map[string]string{
		"Added real server: 10.2.0.1:80 (10.1.0.1:80) (Weight set to 3)": "added real 10.2.0.1:80 " +
			"via 10.1.0.1:80 weight 3",
		"Added fallback server: 10.3.0.1:80 (5) (Weight set to 1)": "added fallback " +
			"10.3.0.1:80 via 5 weight 1",
		"Quiescent real server: [fd00:2::1]:80 ([fd00:1::1]:80) (Weight set to 0)": "quiescent real " +
			"[fd00:2::1]:80 via [fd00:1::1]:80",
		"Restored real server: 10.2.0.1:80 (10.1.0.1:80) (Weight set to 2)": "restored real " +
			"10.2.0.1:80 via 10.1.0.1:80 weight 2",
		"Purged real server (stop): 10.2.0.1:80 (10.1.0.1:80)": "purged real 10.2.0.1:80 " +
			"via 10.1.0.1:80",
		"Purged virtual server (stop): 10.1.0.1:80": "purged-virtual " +
			"10.1.0.1:80",
		"Changed virtual server: 10.1.0.1:80": "changed-virtual " +
			"10.1.0.1:80",
		"Soft failure real server: 10.2.0.1:80 (10.1.0.1:80) failure 1/4": "softfail 10.2.0.1:80 " +
			"via 10.1.0.1:80 1/4",
		"Resetting soft failure count: 10.2.0.1:80 (tcp:10.1.0.1:80)": "softreset 10.2.0.1:80 " +
			"via 10.1.0.1:80",
		"Configuration file '/etc/ha.d/ldirectord.cf' has changed on disk":     "config-changed",
		" - reread new configuration":                                          "config-reread",
		"Error [12] reading file /etc/ha.d/x.cf at line 6: invalid check type": "config-error line 6",
		"Linux Director Daemon terminated on signal: TERM":                     "terminated TERM",
		"Reloading Linux Director Daemon config on signal: HUP":                "reloading",
		"emailalert: sent": "",
	} {
		e, ok := eventOf(message)
		if ok != (want != "") || e.text != want {
			t.Errorf("%s: %q, want %q", message, e.text, want)
		}
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
