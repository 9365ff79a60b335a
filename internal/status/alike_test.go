package status

import "testing"

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
