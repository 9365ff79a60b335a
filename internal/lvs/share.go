package lvs

import "fmt"

// Share is a number of servers, or a percentage of them.
type Share struct {
	N       int32 // 0 or more; up to 100 as a percentage
	Percent bool  // of the servers with a weight
}

// Of returns the share as a number, given the number of servers with a weight. A percentage is rounded up.
func (k Share) Of(servers int) int {
	if k.Percent {
		return (int(k.N)*servers + 99) / 100
	}
	return int(k.N)
}

// String returns the number as written in the file: 2 or 50%.
func (k Share) String() string {
	if k.Percent {
		return fmt.Sprintf("%d%%", k.N)
	}
	return fmt.Sprint(k.N)
}

// LowHigh holds two numbers of servers. Fewer than Low are not enough; after that, only High or more are enough again.
// Both are at least 1. If Low comes to more servers than High, Low counts for both. The zero LowHigh means that the
// directive is not set.
type LowHigh struct{ Low, High Share }

// Of returns the two numbers, given the number of servers with a weight. Without the directive both are 1.
func (m LowHigh) Of(servers int) (low, high int) {
	low = max(m.Low.Of(servers), 1)
	return low, max(m.High.Of(servers), low)
}

// String returns the value as written in the file: 2, 50% or 1/2.
func (m LowHigh) String() string {
	if m.Low == m.High {
		return m.Low.String()
	}
	return m.Low.String() + "/" + m.High.String()
}
