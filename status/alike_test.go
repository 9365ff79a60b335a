package status

import "testing"

// Clients get no answer if no server is up, none has a weight in the table, and there is no fallback server.
func TestClientsGetNothing(t *testing.T) {
	down, up := Server{State: "down"}, Server{State: "up"}
	served := Server{State: "unknown", TableWeight: new(uint32(1))}
	for name, c := range map[string]struct {
		v    Virtual
		want bool
	}{
		"down":              {Virtual{Servers: []Server{down, down}}, true},
		"drained":           {Virtual{Servers: []Server{{State: "drained", TableWeight: new(uint32)}}}, true},
		"one is up":         {Virtual{Servers: []Server{down, up}}, false},
		"a fallback":        {Virtual{Servers: []Server{down}, Fallback: &Fallback{}}, false},
		"held":              {Virtual{Servers: []Server{{State: "down", Note: "held"}}}, false},
		"still with weight": {Virtual{Servers: []Server{served}}, false},
		"of another daemon": {Virtual{Servers: []Server{down}, Owner: "b.cf"}, false},
		"no server":         {Virtual{}, false},
	} {
		if got := c.v.servesNothing(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRowsOfOneReasonAreTogether(t *testing.T) {
	row := func(state, reason string) Row { return Row{Server: &Server{State: state, Reason: reason}} }
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
