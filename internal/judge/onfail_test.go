package judge

import "testing"

// A demotion forgets when servers failed. An order that ends a wait does not.
func TestWhatForgetsAFailure(t *testing.T) {
	c := sectionWith("servers=4, 1 failed")
	if c.Servers[0].Forgive(); !c.Servers[0].Failed.Equal(noon) {
		t.Error("the order that ends a wait forgets the time of the failure")
	}
	if c.Left(); !c.Servers[0].Failed.IsZero() {
		t.Error("a demotion does not forget the time of the failure")
	}
}
