// Package ipvsctl reads and changes a table of IPVS, in the kernel or in memory.
package ipvsctl

import (
	"context"

	"ldirectord/internal/lvs"
)

// FirstPrivate and LastPrivate are the lowest and the highest mark for private services. A private service has one
// destination, and only checks of that destination use it.
const FirstPrivate, LastPrivate uint32 = 0x4c000000, 0x4cffffff

// PrivateService identifies one private service.
type PrivateService struct {
	Key  lvs.Key
	Dest lvs.Dest
}

// Private are the settings of a private service. With these settings, the kernel keeps no UDP connections.
var Private = lvs.Settings{Scheduler: "rr", Flags: lvs.OnePacket}

// isPrivate reports whether a service is a private service of any daemon.
func isPrivate(s *lvs.VirtualService) bool {
	return s.Key.Mark >= FirstPrivate && s.Key.Mark <= LastPrivate && s.Settings == Private.Stored(s.Key.IPv6)
}

// Client reads and changes one table. Only one goroutine at a time may use it, except for Access.Live.
type Client interface {
	// Connect opens the table, or returns the reason why it can't. Without Connect, the first request opens the
	// table.
	Connect(ctx context.Context) error
	// Read returns the whole table, including services of other programs, as a copy that the caller may keep. The
	// kernel returns the table in parts, so what another program changes meanwhile may be missing or in its old
	// state. Read omits private services, because each would cost a request.
	Read(ctx context.Context) (lvs.Table, error)
	// Do makes changes in the given order, and returns the result of each change: nil or an *OpError. A failed
	// change does not stop later ones. The addition of an existing destination becomes an edit, as does that of an
	// existing service unless Op.New is set. The removal of a missing service succeeds. The edit of a missing
	// service or destination and the removal of a missing destination fail, see IsMissing. One call must not change
	// a destination twice.
	Do(ctx context.Context, ops ...lvs.Op) []error
	// Services returns the destinations of the given services with their counters. A missing service has none.
	// After an error, the table contains only the services that had been read.
	Services(ctx context.Context, keys ...lvs.Key) (lvs.Table, error)
	// Timeouts changes the timeouts of idle connections, and returns the previous ones. If order is zero, it only
	// reads them.
	Timeouts(ctx context.Context, order lvs.Timeouts) (was lvs.Timeouts, err error)
	Close() error
}
