package core

import (
	"testing"
	"time"

	"ldirectord/internal/judge"
	"ldirectord/internal/testkit"
)

// A server that turned waits while the table refuses the virtual service, but not while it refuses only the settings.
func TestAServerThatTurnedDoesNotWaitForSettings(t *testing.T) {
	for _, row := range []struct{ settingsOnly, turned, waits bool }{
		{false, false, true}, {false, true, true}, {true, false, true}, {true, true, false},
	} {
		now := time.Unix(0, 0)
		v := virtual{servers: []*server{{Server: &judge.Server{Turned: row.turned}}}}
		v.retry.Failed("no", time.Second, now)
		v.retry.SettingsOnly = row.settingsOnly
		testkit.Equal(t, v.waits(now), row.waits, "it waits", row)
	}
}
