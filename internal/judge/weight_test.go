package judge

import "testing"

// Parts are multiplied, then rounded up once. So the result is 0 only if a factor is.
func TestPartsOfAWeight(t *testing.T) {
	for _, row := range []struct {
		weight, want uint32
		parts        []Part
	}{
		{40, 40, nil},
		{40, 12, []Part{{18, 60}}},
		{40, 6, []Part{{18, 60}, {50, 100}}},
		{40, 1, []Part{{1, 60}}},
		{40, 2, []Part{{2, 60}}},
		{3, 1, []Part{{1, 3}}}, // rounded once: a third of three is exactly one
		{7, 3, []Part{{1, 3}}},
		{7, 1, []Part{{1, 3}, {1, 3}}}, // 7/9, rounded up once
		{10, 2, []Part{{1, 3}, {1, 3}}},
		{1, 1, []Part{{1, 100}, {1, 100}}},
		{40, 0, []Part{{0, 100}}},
		{0, 0, []Part{{1, 100}}},
		{65535, 65535, []Part{{86_400_000, 86_400_000}, {100, 100}, {100, 100}}},
	} {
		all := Part{1, 1}
		for _, p := range row.parts {
			all = all.times(p)
		}
		if got := all.roundedUp(row.weight); got != row.want {
			t.Errorf("%v of %d is %d, want %d", row.parts, row.weight, got, row.want)
		}
	}
}
