package checker

import "testing"

func TestEachCauseHasANameOfItsOwn(t *testing.T) {
	seen := map[string]bool{"": true}
	for c := range Causes {
		if seen[c.String()] {
			t.Errorf("cause %d is named %q", c, c)
		}
		seen[c.String()] = true
	}
}
