package status

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// Times and connections in a reason are no change: its row keeps its name, and has no mark.
func TestAReasonThatRuns(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/status/runs.txt", 3) {
		s, now := &Screen{}, &Report{Virtuals: make([]Virtual, 1)}
		v := &now.Virtuals[0]
		for _, text := range row[:2] {
			v.Servers = []Server{{State: "up", Note: text,
				Conditions: []view.Condition{{Trouble: Doubt, Text: text}}}}
			s.Take(&Report{Virtuals: []Virtual{*v}}, nil)
			one := v.Rows()[0]
			testkit.Equal(t, one.Common(), "up: "+row[2], text)
		}
		if strings.HasPrefix(s.server(&v.Rows()[0]).text, "*") {
			t.Errorf("%s is a change", row[1])
		}
	}
}
