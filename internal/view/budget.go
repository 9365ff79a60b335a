package view

import (
	"cmp"
	"fmt"

	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// Short is a virtual service that would be left with too few servers.
type Short struct {
	lvs.Backend        // one of the servers that go
	Left        int    // servers left that pass their checks and get new clients
	Least       int    // how many are required; 0: no server would get new clients
	By          string // the directive that requires them
	Out         []string
}

// String describes the virtual service, and lists the servers that are out of service, with the reasons.
func (s Short) String() string {
	text := fmt.Sprintf("%s is the last server of %s", s.Real, s.Virtual)
	if s.Least > 0 {
		text = fmt.Sprintf("without %s, %s has %s: %s requires %d", s.Real, s.Virtual, Plural(s.Left, "server"),
			s.By, s.Least)
	}
	if len(s.Out) > 0 {
		text += " (out: " + Listed(s.Out) + ")"
	}
	return text
}

// Short finds the virtual services that would have too few servers if these servers went out of service, in addition to
// those that orders take out. Servers that already get no new clients make no difference. A server whose state is
// unknown, as in a snapshot of a plan, is needed if no other server could serve. later is for orders that begin by
// themselves: while too few other servers pass, they don't take out a held server, because nobody has looked at it yet.
func (now *Snapshot) Short(backends []lvs.Backend, given orders.All, later bool) (list []Short) {
	goes := setOf(backends)
	for i := range now.Virtuals {
		if s, is := now.Virtuals[i].without(goes, given, later); is {
			list = append(list, s)
		}
	}
	return list
}

// without finds out what would be left of the virtual service without these servers, and whether it needs them.
func (v *Virtual) without(goes map[lvs.Backend]bool, given orders.All, later bool) (left Short, needed bool) {
	var serves, counts, unknown bool // of the servers that go
	var stay, others int             // other servers: those that get new clients, those that could
	seen := map[string]bool{}
	for i := range v.Servers {
		s := &v.Servers[i]
		at, other := lvs.At(v.ID, s.Real), lvs.At(v.ID, cmp.Or(s.Alias, s.Real))
		switch order := cmp.Or(given[at], given[other]); {
		case s.Moved, !s.Addr.IsValid(), seen[s.Real]: // it is to be removed, has no address, or was counted
			continue
		case goes[at], goes[other]:
			left.Backend = at
			serves, counts = serves || s.serves(), counts || s.serves() && (later || !s.Held)
			unknown = unknown || s.State == "unknown"
		case order.TakesOut():
			left.Out = append(left.Out, s.Real+": "+order.String())
		case s.serves() && !s.Held:
			left.Left, stay, others = left.Left+1, stay+1, others+1
		case s.serves():
			stay, others = stay+1, others+1
			left.Out = append(left.Out, s.Real+": held")
		default:
			others++
			left.Out = append(left.Out, s.Real+": "+s.Why())
		}
		seen[s.Real] = true
	}
	if serves && stay == 0 || unknown && others == 0 {
		return left, true
	}
	left.Least, left.By = v.least()
	return left, counts && left.Left < left.Least
}

// Lack returns the number of servers of a virtual service that pass their checks and get new clients, the number that
// is required, and the directive that requires it. Without such a directive, one server is required, and by is "".
func (v *Virtual) Lack() (left, required int, by string) {
	for i := range v.Servers {
		if s := &v.Servers[i]; s.Serves && !s.Held {
			left++
		}
	}
	required, by = v.least()
	return left, max(required, 1), by
}

// least returns the number of servers that orders must leave in service, and the directive that requires it.
func (v *Virtual) least() (n int, by string) {
	if v.Guard.Keeps > 0 && !v.Guard.Obeys {
		n, by = v.Guard.Keeps, "keepserving"
	}
	if v.Enough != nil && v.Enough.Low > n {
		n, by = v.Enough.Low, "minservers"
	}
	return n, by
}

// serves reports whether a server gets new connections, or is a backup server that could get them. While the table is
// unknown, the server's checks decide.
func (s *Server) serves() bool { return s.Serves || s.Backup == "waits" && s.Up }

// Why describes why a server is out of service.
func (s *Server) Why() string {
	if s.Reason != "" {
		return s.State + ": " + s.Reason
	}
	return cmp.Or(s.Note, s.State)
}
