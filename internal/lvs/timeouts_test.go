package lvs

import (
	"testing"

	"ldirectord/internal/testkit"
)

func TestTimeouts(t *testing.T) {
	was := Timeouts{900, 120, 300}
	for order, want := range map[Timeouts]string{{}: "900/120/300", {7200, 0, 0}: "7200/120/300",
		{1, 2, 3}: "1/2/3"} {
		testkit.Equal(t, order.Over(was).String(), want, order)
	}
	testkit.Equal(t, TimeoutsKey.ID(), "timeouts")
}
