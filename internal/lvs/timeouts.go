package lvs

import "fmt"

// Timeouts tell how long the kernel remembers idle connections of three kinds: TCP, TCP after a FIN, and UDP. They are
// in seconds, up to MaxIdle. In an order, 0 leaves a timeout as it is.
type Timeouts [3]uint32

// MaxIdle is the longest timeout in seconds: the kernel counts up to 1000 ticks a second in 31 bits.
const MaxIdle = (1<<31 - 1) / 1000

// TimeoutsKey identifies the timeouts among the virtual services that daemons claim: only one daemon sets them.
var TimeoutsKey = Key{Protocol: 255}

// String returns the timeouts in the form of the file: 900/120/300.
func (t Timeouts) String() string { return fmt.Sprintf("%d/%d/%d", t[0], t[1], t[2]) }

// Over applies the order t to the former timeouts, and returns the result.
func (t Timeouts) Over(was Timeouts) Timeouts {
	for i, order := range t {
		if order > 0 {
			was[i] = order
		}
	}
	return was
}
