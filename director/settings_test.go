package director

import (
	"testing"

	"ldirectord/parser"
)

func TestPersistenceEngineCountsOnlyWithPersistence(t *testing.T) {
	for persistent, want := range map[int]string{600: "sip", -1: ""} {
		s, err := settingsOf(&parser.Virtual{Protocol: parser.UDP, Scheduler: "rr", Persistent: persistent, PEName: "sip"})
		if err != nil || s.PEName != want {
			t.Errorf("persistent %d: engine %q (%v), want %q", persistent, s.PEName, err, want)
		}
	}
}
