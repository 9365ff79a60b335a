package daemon

import "testing"

// The log of a daemon with a user of its own is in the folder that systemd made for it, and not in another unit's.
func TestTheLogOfTheUnit(t *testing.T) {
	for dir, want := range map[string]string{
		"":                    "",
		"/var/log/ldirectord": "/var/log/ldirectord/ldirectord.log",
		"/var/log/keepalived": "",
	} {
		t.Setenv("LOGS_DIRECTORY", dir)
		if got := logOfUnit(); got != want {
			t.Errorf("%q: %q, want %q", dir, got, want)
		}
	}
}
