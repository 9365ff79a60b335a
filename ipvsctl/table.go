// Package ipvsctl reads and changes a table of IPVS, in the kernel or in memory.
package ipvsctl

import (
	"context"

	"ldirectord/internal/lvs"
)

// FirstPrivate and LastPrivate bound the marks of private services. Each of these has one destination, and serves only
// checks of it.
const FirstPrivate, LastPrivate uint32 = 0x4c000000, 0x4cffffff

// PrivateService identifies one private service.
type PrivateService struct {
	Key  lvs.Key
	Dest lvs.Dest
}

// Private are the settings of a private service. The kernel keeps no UDP connections for it.
var Private = lvs.Settings{Scheduler: "rr", Flags: lvs.OnePacket}

// isPrivate reports whether a service is only for checks, of any daemon.
func isPrivate(s *lvs.VirtualService) bool {
	return s.Key.Mark >= FirstPrivate && s.Key.Mark <= LastPrivate && s.Settings == Private.Stored(s.Key.IPv6)
}

// Client reads and changes one table. It is not for several goroutines at once.
type Client interface {
	// Connect opens the table, or returns why it can't. Without Connect the first request opens it.
	Connect(ctx context.Context) error
	// Read returns the whole table, including services of other programs, as a copy that the caller may keep. The
	// kernel hands it out in parts: an entry that others change meanwhile may be missing or show its old state.
	// Private services are left out: each would cost a request.
	Read(ctx context.Context) (lvs.Table, error)
	// Do makes changes, in their order, and returns the result of each: nil, or an *OpError. A failed change does
	// not stop later ones. An addition of an existing entry becomes an edit, and the removal of a missing service
	// succeeds. An edit of a missing entry fails, and so does the removal of a missing destination, see IsMissing.
	// One call changes a destination at most once.
	Do(ctx context.Context, ops ...lvs.Op) []error
	// Services returns the destinations of these services with their counters; none for a missing service. After an
	// error it lacks the services that were not read yet.
	Services(ctx context.Context, keys ...lvs.Key) (lvs.Table, error)
	// Timeouts changes the timeouts of idle connections, and returns the previous ones. Without an order it only
	// reads them.
	Timeouts(ctx context.Context, order lvs.Timeouts) (was lvs.Timeouts, err error)
	Close() error
}
