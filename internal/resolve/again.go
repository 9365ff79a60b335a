package resolve

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"ldirectord/internal/runfile"
)

// LookUp looks up the names of a file again, within LookupDeadline. If the answer still contains a name's address, the
// name keeps that address, because the order of addresses means nothing. A name whose look-up fails also keeps its
// address, and its Why gives the reason. A followed name must not lead to a refused address.
func (s Source) LookUp(ctx context.Context, list []Name, refused map[netip.Addr]bool) []Name {
	before := Index(list)
	s.Last = func(key Key) []netip.Addr { return before[key].addrs() }
	t := NewTable(s)
	t.Again, t.read, t.refused = true, true, refused
	for _, n := range list {
		t.Host(n.Host, n.IPv6)
		if n.Followed {
			t.Use(OfReal, n.IPv6, n.Host)
		}
	}
	t.LookUp(ctx)
	return t.List()
}

// Await calls lookUp until the result for at least one name changes, and returns the names with a new result, or nil
// when ctx is done. A result is an address or the lack of an answer. Await waits for the duration wait before the first
// call. Before each further call it waits twice as long as before, but at least shortest and at most longest.
func Await(ctx context.Context, lookUp func(context.Context) []Name, list []Name,
	wait, shortest, longest time.Duration) []Name {
	before := Index(list)
	for ; ; wait = min(max(2*wait, shortest), longest) {
		if !runfile.Pause(ctx, wait) {
			return nil
		}
		found := slices.DeleteFunc(lookUp(ctx), func(n Name) bool {
			was := before[n.Key]
			if n.Why != "" || was.Why != "" {
				return n.Why != "" && was.Why != "" // the name has no answer yet
			}
			return n.Addr == was.Addr
		})
		if ctx.Err() != nil {
			return nil // the look-ups failed because they were cancelled
		}
		if len(found) > 0 {
			return found
		}
	}
}
