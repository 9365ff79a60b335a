package ipvsctl

import (
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

func TestTimeoutsInMemory(t *testing.T) { testTimeouts(t, NewMemory(nil)) }

func TestKernelTimeouts(t *testing.T) {
	testTimeouts(t, ownKernel(t))
}

// testTimeouts checks that the timeouts are those of a new kernel at first, and that each order changes those that it
// names.
func testTimeouts(t *testing.T, c Client) {
	t.Helper()
	want := lvs.Timeouts{900, 120, 300}
	for _, order := range []lvs.Timeouts{
		{}, {7200, 0, 0}, {0, 60, 0}, {0, 0, 30}, {7200, 60, 30}, {1, 2, 3},
		{lvs.MaxIdle, lvs.MaxIdle, lvs.MaxIdle}, {},
	} {
		testkit.Equal(t, testkit.Must(c.Timeouts(t.Context(), order))(t), want, "before", order)
		want = order.Over(want)
	}
	testkit.Equal(t, testkit.Must(c.Timeouts(t.Context(), lvs.Timeouts{}))(t), want, "at the end")
}
