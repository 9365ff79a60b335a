package lab

import (
	"slices"
	"testing"
	"time"
)

// The rows of docs/measured/failures.md in which a directive for weights makes a difference.
func TestKernelLongReturns(t *testing.T) {
	onlyLong(t)
	f := newFailures(t)
	f.coldStart()
	f.more = "        scheduler = rr\n        holddown = 60\n"
	f.reload()
	f.breaks("1", "server process killed, and back", (*web).stop, (*web).start)
	f.flaps() // it fails again, soon after its return
	if n := f.rows[len(f.rows)-1].notes; !slices.Contains(n, "taken out 1 times") {
		t.Errorf("with holddown: %q", n)
	}
	for _, name := range all {
		f.weights[name] = 10
	}
	f.more = "        scheduler = wrr\n        slowstart = 20\n"
	f.reload()
	f.until(time.Second, entry("rs4")+" -m -w 10\n")
	came := f.allDie() // half of the weight comes whole: those who climb have others that carry
	if !slices.Equal(came[:2], []uint32{10, 10}) || came[2] > 3 || came[3] > 3 {
		t.Errorf("with slowstart they come with the weights %v", came)
	}
	f.report()
}
