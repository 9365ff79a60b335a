package status

import (
	"testing"
	"time"

	"ldirectord/internal/view"
)

// That the entry of a fallback server was changed by hand is said once, whether it is checked or not.
func TestAFallbackChangedByHandIsSaidOnce(t *testing.T) {
	for state, known := range map[string][]view.Condition{"": nil, "up": {view.ByHand}} {
		v := Virtual{Fallback: &Fallback{ByHand: true, State: state, Conditions: known}}
		if got := ServerRemarks(v.Rows()[0].Server, time.Now()); len(got) != 1 || got[0] != view.ByHand.Text {
			t.Errorf("%q: %q", state, got)
		}
	}
}
