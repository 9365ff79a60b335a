// Package status shows what a running director knows: as JSON and as a table for people, and as metrics for
// Prometheus. It only reads snapshots.
package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/director"
)

// Process is what the program around a director knows.
type Process struct {
	Config  string // path of the file
	Pid     int
	Version string
	Started time.Time
	Reloads Reloads
	Events  map[string]uint64 // how many of each kind the journal had
	Names   []Name            // the host names of the file that can't be looked up

	Failures []Failure // what the daemon's own means failed at
	Last     []Failure // the last events of the log that matter, also what others did
}

// Failure is one of something that the daemon uses besides servers and table: log, mail, webhook, address of the
// metrics, commands, monitorfiles.
type Failure struct {
	Event string    `json:"event"` // its kind in the journal; log-failed where that is the log itself
	Text  string    `json:"text"`
	At    time.Time `json:"at"`             // the last one
	More  int       `json:"more,omitempty"` // that came at once and are like it
}

// Name is a host name that can't be looked up.
type Name struct {
	Name string `json:"name"`
	// the last one that is known, which is used; absent when there is none
	Address netip.Addr `json:"address,omitzero"`
	Error   string     `json:"error"`
}

// Reloads counts how often the file was read again.
type Reloads struct {
	Succeeded uint64    `json:"succeeded"`
	Refused   uint64    `json:"refused"`
	Last      time.Time `json:"last"`            // when the configuration in force was taken over
	Error     string    `json:"error,omitempty"` // why the last reading was refused; absent when it was not
}

// Report is the whole status. Its JSON names are stable: fields are added, never renamed.
type Report struct {
	Running   bool       `json:"running"`
	Config    string     `json:"config"`
	Pid       int        `json:"pid,omitempty"`
	Error     string     `json:"error,omitempty"` // why a running daemon does not answer
	Version   string     `json:"version,omitempty"`
	Started   *time.Time `json:"started,omitempty"`
	Time      *time.Time `json:"time,omitempty"`
	Role      string     `json:"role,omitempty"`  // active or standby
	Phase     string     `json:"phase,omitempty"` // starting, running, reloading, stopping
	Reloads   *Reloads   `json:"reloads,omitempty"`
	Checks    *Checks    `json:"checks,omitempty"`
	Table     *Table     `json:"table,omitempty"`
	MarkError string     `json:"mark_rules_error,omitempty"`
	Folder    string     `json:"maintenance_error,omitempty"` // why maintenancedir can't be read
	Names     []Name     `json:"names,omitempty"`             // those that can't be looked up
	// until it works again, where that is known, and for a day at most
	Failures []Failure `json:"failures,omitempty"`
	Last     []Failure `json:"last_events,omitempty"`
	Orders   []Order   `json:"orders,omitempty"`
	Virtuals []Virtual `json:"virtuals,omitempty"`

	Announcements []Announcement `json:"announcements,omitempty"`
	AnnounceError string         `json:"announce_error,omitempty"` // why addresses can't be announced
}

// Order is an order for a real server or for a virtual service.
type Order struct {
	director.Backend
	Lost bool `json:"lost,omitempty"` // the file does not have it
	director.Order
}

// Checks is how the checks as a whole go.
type Checks struct {
	Overdue float64 `json:"overdue_seconds"` // of the check that is most overdue
	// that failed because this machine lacked descriptors, memory, ports or permissions
	Shortages uint64 `json:"own_shortages"`
}

// Table is how the table of IPVS does.
type Table struct {
	Error string `json:"error,omitempty"` // why it can't be read
	// virtual services that are to go and still there
	Removing   int                        `json:"removing"`
	Operations map[string]director.Counts `json:"operations"`
}

// Virtual is a virtual service.
type Virtual struct {
	ID        string               `json:"id"`
	Title     string               `json:"servicename,omitempty"`
	Owner     string               `json:"belongs_to,omitempty"` // another daemon; this one only checks
	Beside    string               `json:"also_of,omitempty"`    // one that waits for it, or changes it as well
	Scheduler string               `json:"scheduler"`
	Fallback  *Fallback            `json:"fallback,omitempty"`
	Guard     *Guard               `json:"guard,omitempty"`      // absent without keepserving and the order to obey
	Enough    *director.MinServers `json:"minservers,omitempty"` // absent without minservers
	Written   bool                 `json:"written"`              // the table has it as it should be
	Error     string               `json:"error,omitempty"`
	Nothing   bool                 `json:"serves_nothing,omitempty"` // no server and no fallback serves
	Added     []string             `json:"added_by_hand,omitempty"`  // destinations that are not configured
	Servers   []Server             `json:"servers"`
	Leaving   []Leaver             `json:"leaving,omitempty"` // servers that left the file and drain
}

// Leaver is a real server that left the file: no new connections, and out of the table when it has none left.
type Leaver struct {
	Real        string      `json:"real"`
	State       string      `json:"state"`        // drained
	Note        string      `json:"note"`         // draining, and what is left
	TableWeight uint32      `json:"table_weight"` // 0, unless none of the others serves yet, or somebody changed it
	ByHand      bool        `json:"changed_by_hand,omitempty"`
	Connections Connections `json:"connections"`  // up to a second old
	Left        float64     `json:"seconds_left"` // until it goes with connections
}

// These are shown as the director knows them.
type (
	Guard        = director.GuardSnapshot
	Fallback     = director.FallbackSnapshot
	Announcement = director.AnnouncementSnapshot
)

// Server is a real server of a virtual service.
type Server struct {
	Real    string    `json:"real"`
	Address string    `json:"address,omitempty"` // where real is a host name
	Name    string    `json:"name,omitempty"`    // the host name of the file where real is its address
	State   string    `json:"state"`             // unknown, up, down, drained, maintenance or off
	Since   time.Time `json:"since"`
	InState float64   `json:"seconds_in_state"`
	// why it is down, the file of its maintenance, or the name that has no address
	Reason      string  `json:"reason,omitempty"`
	Weight      int     `json:"weight"`       // as configured
	TableWeight *uint32 `json:"table_weight"` // null when it is not in the table
	ByHand      bool    `json:"changed_by_hand,omitempty"`
	// why the last answer can't be judged; absent when it can
	Unjudged string `json:"unjudged,omitempty"`
	Drained  bool   `json:"drained,omitempty"` // by order, whatever its state is
	// what else there is to its state: held, moved away, its order
	Note        string            `json:"note,omitempty"`
	Streak      int               `json:"streak"` // results in a row that speak against the state
	Check       *Check            `json:"last_check"`
	Next        time.Time         `json:"next_check,omitzero"`
	Checks      uint64            `json:"checks"`
	Transitions uint64            `json:"transitions"`
	Failures    map[string]uint32 `json:"failures,omitempty"` // by cause
	Connections *Connections      `json:"connections"`        // null when they are not known
	// of a server with several; last_check, streak and unjudged are of the worst one
	EachCheck []OneCheck `json:"each_check,omitempty"`
}

// OneCheck is one check of a server with several.
type OneCheck struct {
	Name     string `json:"check"` // https 443
	State    string `json:"state"` // unknown, up or down
	Streak   int    `json:"streak"`
	Unjudged string `json:"unjudged,omitempty"`
	Last     *Check `json:"last_check"`
}

// Check is the result of one check.
type Check struct {
	Time    time.Time `json:"time"`
	OK      bool      `json:"ok"`
	Seconds float64   `json:"seconds"`
	Cause   string    `json:"cause,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	Warning string    `json:"warning,omitempty"`
	// with checkvip: through the virtual address, or void, at the server's own because of Warning
	Way string `json:"way,omitempty"`
}

// Connections are what a server carries for one virtual service.
type Connections struct {
	Active     uint32 `json:"active"`
	Inactive   uint32 `json:"inactive"`
	Persistent uint32 `json:"persistent"`

	Traffic *Traffic `json:"traffic,omitempty"` // of servers in the file
}

// Traffic is what a server carried for one virtual service since it was put in the table.
type Traffic struct {
	Connections uint64 `json:"connections"`
	PacketsIn   uint64 `json:"packets_in"`
	PacketsOut  uint64 `json:"packets_out"` // 0 where answers do not come back through the director
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
}

// NewReport puts together what is known. Connections may leave servers out.
func NewReport(s *director.Snapshot, p Process, carried map[director.Backend]Connections) *Report {
	p.Reloads.Last = p.Reloads.Last.UTC()
	r := &Report{
		Running: true, Config: p.Config, Pid: p.Pid, Version: p.Version, Started: new(p.Started.UTC()),
		Time: new(s.Time.UTC()),
		Role: roleOf(s), Phase: string(s.Status), Reloads: &p.Reloads, MarkError: s.Marks, Folder: s.Folder,
		Names: p.Names, Failures: p.Failures, Orders: ListOrders(s.Orders, s),
		Checks: &Checks{Overdue: s.Overdue.Seconds(), Shortages: s.Shortages},
		Table:  &Table{Error: s.Unread, Removing: s.Purging, Operations: maps.Collect(s.Table.All())},
	}
	r.Last, r.Announcements, r.AnnounceError = p.Last, s.Announcements, s.Announcing
	for i := range s.Virtuals {
		v := newVirtual(&s.Virtuals[i], s.Time, carried)
		v.Nothing = !s.Standby && v.servesNothing()
		r.Virtuals = append(r.Virtuals, v)
	}
	return r
}

func roleOf(s *director.Snapshot) string {
	if s.Standby {
		return "standby"
	}
	return "active"
}

// ListOrders sorts orders and finds those for what is not configured.
func ListOrders(all director.Orders, now *director.Snapshot) []Order {
	known := map[director.Backend]bool{}
	for v, s := range now.Each() {
		for _, name := range []string{"", s.Real, s.Alias} { // "" is the virtual service
			known[director.Backend{Virtual: v.ID, Real: name}] = true
		}
	}
	for _, a := range now.Announcements {
		known[director.Backend{Virtual: a.Address}],
			known[director.Backend{Virtual: director.EveryAddress}] = true, true
	}
	list := make([]Order, 0, len(all))
	for _, at := range all.Sorted() {
		o := Order{at, !known[at], all[at]}
		o.Until = o.End()
		list = append(list, o)
	}
	return list
}

func newVirtual(v *director.VirtualSnapshot, now time.Time, carried map[director.Backend]Connections) Virtual {
	out := Virtual{
		ID: v.ID, Title: v.Title, Scheduler: v.Scheduler, Fallback: v.Fallback, Written: v.Written,
		Error: v.Error, Enough: v.Enough, Servers: make([]Server, 0, len(v.Servers)),
	}
	out.Owner, out.Beside = v.Owner, v.Beside
	if v.Guard.Keeps > 0 || v.Guard.Obeys && v.Guard.Brake {
		out.Guard = &v.Guard
	}
	for _, addr := range v.Added {
		out.Added = append(out.Added, addr.String())
	}
	for i := range v.Servers {
		s := newServer(&v.Servers[i], now)
		if c, known := carried[director.Backend{Virtual: v.ID, Real: s.Real}]; known {
			s.Connections = &c
		}
		out.Servers = append(out.Servers, s)
	}
	for _, l := range v.Leaving {
		left := max(l.Until.Sub(now), 0)
		out.Leaving = append(out.Leaving, Leaver{
			Real: l.Name, State: "drained", Note: fmt.Sprintf("draining, %s, %s left",
				director.Carried(l.Carries), Short(left)),
			TableWeight: l.Effective, ByHand: l.ByHand, Connections: Connections{l.Carries.Active,
				l.Carries.Inactive, l.Carries.Persistent, nil}, Left: left.Seconds(),
		})
	}
	return out
}

func newServer(s *director.ServerSnapshot, now time.Time) Server {
	out := Server{
		Real: s.Real, Address: s.Address, Name: s.Host, State: s.State,
		Since: s.Since.UTC(), InState: now.Sub(s.Since).Seconds(), Reason: s.Reason, Weight: s.Weight,
		ByHand: s.ByHand, Unjudged: s.Unjudged, Drained: s.Drained, Note: s.Note, Streak: s.Streak,
		Checks: s.Tally.Checks, Transitions: s.Tally.Transitions,
		Failures: maps.Collect(s.Tally.Failures()),
	}
	if s.Held {
		out.Note = strings.TrimSuffix("held; "+s.Note, "; ")
	}
	if s.InTable {
		out.TableWeight = &s.Effective
	}
	if !s.Due.IsZero() {
		out.Next = s.Due.UTC()
	}
	out.Check = newCheck(&director.CheckSnapshot{Checked: s.Checked, Last: s.Last})
	for i := range s.Checks {
		c := &s.Checks[i]
		out.EachCheck = append(out.EachCheck, OneCheck{c.Name, c.State, c.Streak, c.Unjudged, newCheck(c)})
	}
	return out
}

// newCheck is nil before the first result.
func newCheck(c *director.CheckSnapshot) *Check {
	if c.Checked.IsZero() {
		return nil
	}
	out := &Check{Time: c.Checked.UTC(), OK: c.Last.OK, Seconds: c.Last.Took.Seconds(), Detail: c.Last.Detail,
		Warning: c.Last.Warning}
	out.Way = map[checker.Way]string{checker.WayThrough: "through", checker.WayVoid: "void"}[c.Last.Way]
	if !c.Last.OK {
		out.Cause = c.Last.Cause.String()
	}
	return out
}

// ReadReport reads a report as JSON, as a daemon of this or another version wrote it.
func ReadReport(text []byte) (*Report, error) {
	r := &Report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("reading the daemon's report: %w", err)
	}
	if r.Time == nil || r.Started == nil || r.Reloads == nil || r.Table == nil || r.Checks == nil {
		return nil, errors.New("reading the daemon's report: it is not complete")
	}
	return r, nil
}
