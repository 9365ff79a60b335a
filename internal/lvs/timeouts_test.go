package lvs

import "testing"

func TestTimeouts(t *testing.T) {
	was := Timeouts{900, 120, 300}
	for order, want := range map[Timeouts]string{{}: "900/120/300", {7200, 0, 0}: "7200/120/300", {1, 2, 3}: "1/2/3"} {
		if got := order.Over(was).String(); got != want {
			t.Errorf("%v: %s, want %s", order, got, want)
		}
	}
	if id := TimeoutsKey.ID(); id != "timeouts" {
		t.Error(id)
	}
}
