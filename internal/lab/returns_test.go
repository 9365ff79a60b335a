package lab

import (
	"slices"
	"testing"
	"time"
)

// The rows of docs/measured/failures.md for which a directive for weights makes a difference.
func TestKernelLongReturns(t *testing.T) {
	onlyLong(t)
	f := newFailures(t)
	f.coldStart()
	f.more = "        scheduler = rr\n        holddown = 60\n"
	f.reload()
	f.breaks("1", "server process killed, and back", (*web).stop, (*web).start)
	f.flaps() // the server fails again soon after its return
	if n := f.rows[len(f.rows)-1].notes; !slices.Contains(n, "taken out 1 times") {
		t.Errorf("with holddown the notes are %q, want that it was taken out once", n)
	}
	f.allFive()
}

// allFive: five servers die and return within seconds, without and with slowstart. With slowstart the first three,
// half of the weight, have their full weight at once. The others climb, and wlc doesn't send them all new requests.
func (f *failures) allFive() {
	f.webs["rs5"].set(well)
	f.served = append(slices.Clone(all), "rs5")
	var whole []string
	for _, name := range f.served {
		f.weights[name] = 10
		whole = append(whole, entry(name)+" -m -w 10\n")
	}
	var toLast []int
	for _, slowstart := range []string{"", "        slowstart = 20\n"} {
		f.more = "        scheduler = wlc\n" + slowstart
		f.reload()
		f.until(bound, whole...)
		came := f.allDie()
		toLast = append(toLast, f.toLast(time.Now()))
		if slowstart == "" && slices.Equal(came, []uint32{10, 10, 10, 10, 10}) {
			continue
		}
		if slowstart == "" || !slices.Equal(came[:3], []uint32{10, 10, 10}) || came[3] > 3 || came[4] > 3 {
			f.t.Errorf("%q: the servers come with the weights %v", slowstart, came)
		}
	}
	f.report()
	f.t.Logf("of %d requests after the return of the last server, it gets %d, with slowstart %d", following,
		toLast[0], toLast[1])
	if toLast[0] <= toLast[1] || toLast[1] > following/5 {
		f.t.Error("slowstart must give the last server fewer requests, and at most its share")
	}
}

const following = 20 // requests

// toLast counts the requests of the fifth server, among the first ones after its return.
func (f *failures) toLast(returned time.Time) (n int) {
	f.t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		seen := 0
		f.mu.Lock()
		for _, q := range f.requests {
			if seen == following || q.start.Before(returned) {
				continue
			}
			if seen++; q.server == "rs5" {
				n++
			}
		}
		f.mu.Unlock()
		if seen == following {
			return n
		}
		if n = 0; time.Since(begun) > 30*time.Second {
			f.t.Fatalf("only %d requests in 30 s", seen)
		}
	}
}
