package status

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

func TestRowsOfOneReasonAreTogether(t *testing.T) {
	row := func(state, reason string) Row {
		s := &Server{State: state, Reason: reason}
		s.Learn()
		return Row{Server: s}
	}
	a := row("down", "a")
	rows := []Row{a, row("down", "b"), a, a, row("up", "a"), a}
	groups := Alike(append(rows, row("down", "b"), row("down", "b")))
	var sizes []int
	for _, g := range groups {
		sizes = append(sizes, len(g))
	}
	if len(groups) != 5 || sizes[0] != 4 || groups[1][0].Reason() != "down: b" {
		t.Error(sizes)
	}
}

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
