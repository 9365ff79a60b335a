// Package status shows what a running director knows: as JSON, as a table for people, and as metrics for Prometheus. It
// asks the director for nothing but snapshots. The sentences about conditions of servers and virtual services come from
// judge, core and view, and those about the machine from doctor. Those about fallback servers, servers that left the
// file, checks and the daemon are written here.
package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/view"
)

// Process contains the facts that only the daemon around the director knows.
type Process struct {
	Report                   // without what the director knows
	Events map[string]uint64 // how many events of each kind the journal recorded
}

// Failure is a failure that concerns neither the servers nor the table, but the log, mail, the webhook, the control
// socket, the address of listen, commands, monitorfiles, or the files that commands and the next start read. In
// Report.Last it is an event of any kind.
type Failure struct {
	Event string    `json:"event"` // its kind in the journal, or log-failed if the log itself failed
	Text  string    `json:"text"`
	At    time.Time `json:"at"`             // when it happened
	More  int       `json:"more,omitempty"` // how many more of this kind happened within a second
}

// Name is a host name that can't be looked up.
type Name struct {
	Name string `json:"name"`
	// the last known address, which is still used; absent if there is none
	Address netip.Addr `json:"address,omitzero"`
	Error   string     `json:"error"`
}

// Reloads describes how often the file was read again and whether it is in force.
type Reloads struct {
	Succeeded uint64    `json:"succeeded"`
	Refused   uint64    `json:"refused"`
	Last      time.Time `json:"last"`              // when the configuration in force took effect
	Ago       float64   `json:"last_seconds_ago"`  // how long ago that was, even if the clock was set since
	Error     string    `json:"error,omitempty"`   // why the last reading was refused; absent if it was accepted
	Missing   bool      `json:"missing,omitempty"` // the file is gone
	// when the daemon first noticed that the file differs from the configuration in force, and why it would be
	// refused
	Changed time.Time `json:"file_changed,omitzero"`
	Refusal string    `json:"would_be_refused,omitempty"`
	Back    string    `json:"taken_back,omitempty"` // why the file was taken back
	// when the former configuration comes back, unless the one in force is confirmed
	Until time.Time `json:"confirm_until,omitzero"`
	// the time of the last good configuration, if the daemon started with that instead of the file
	LastGood time.Time `json:"last_good,omitzero"`
	Lists    []List    `json:"lists_not_in_force,omitempty"` // sorted by their paths and names
}

// List is a list of realfile or realnames that is not in force.
type List struct {
	Path  string    `json:"path"`
	Since time.Time `json:"since"`
	Error string    `json:"error"` // why, and what is in force instead
}

// InForce reports whether the file and all lists are in force.
func (r *Reloads) InForce() bool {
	return r.Changed.IsZero() && r.LastGood.IsZero() && !r.Missing && len(r.Lists) == 0
}

// Report is the whole status. Its JSON names are stable: fields are added, never renamed.
type Report struct {
	Running   bool      `json:"running"`
	Config    string    `json:"config"`
	Pid       int       `json:"pid,omitempty"`
	Error     string    `json:"error,omitempty"` // why a running daemon does not answer
	Version   string    `json:"version,omitempty"`
	Started   time.Time `json:"started,omitzero"`
	Up        float64   `json:"up_seconds,omitempty"` // since Started, even if the clock was set since
	Time      time.Time `json:"time,omitzero"`
	Zone      Zone      `json:"utc_offset,omitempty"`
	Role      string    `json:"role,omitempty"`  // active or standby
	Phase     string    `json:"phase,omitempty"` // starting, running, reloading, stopping
	Sum       string    `json:"config_hash,omitempty"`
	Reloads   Reloads   `json:"reloads,omitzero"`
	Checks    *Checks   `json:"checks,omitempty"`
	Table     Table     `json:"table,omitzero"`
	MarkError string    `json:"mark_rules_error,omitempty"`
	Folder    string    `json:"maintenance_error,omitempty"` // why maintenancedir can't be read
	Names     []Name    `json:"names,omitempty"`             // those that can't be looked up
	// the latest failure of each kind of the daemon itself, until it ends; that of a command for at most a day
	Failures []Failure `json:"failures,omitempty"`
	// the last important events of the log, including changes by other programs or by hand
	Last     []Failure      `json:"last_events,omitempty"`
	Orders   []orders.Entry `json:"orders,omitempty"`
	Virtuals []Virtual      `json:"virtuals,omitempty"`

	Announcements []view.Announcement `json:"announcements,omitempty"`
	// what this machine lacks to forward packets
	Conditions []view.Condition `json:"conditions,omitempty"`

	AnnounceError string `json:"announce_error,omitempty"` // why addresses can't be announced
}

// Checks is a summary of all checks.
type Checks struct {
	Overdue float64 `json:"overdue_seconds"` // how late the most overdue check is
	// checks that failed because this machine lacked descriptors, memory, ports or permissions
	Shortages uint64    `json:"own_shortages"`
	Lacked    time.Time `json:"last_shortage,omitzero"` // when the last of them failed
}

// Table is the state of the IPVS table.
type Table struct {
	Error string `json:"error,omitempty"` // why it can't be read
	// the number of virtual services that are still to be removed
	Removing   int                    `json:"removing"`
	Operations map[string]view.Counts `json:"operations"`
}

// These types describe virtual services, their servers and the last results of checks. All except Virtual are aliases
// of types in package view.
type (
	Virtual  view.Virtual
	Server   = view.Server
	Check    = view.LastCheck
	Fallback = view.Fallback
)

// NewReport makes a report of all facts. It fills in the remaining fields of the snapshot's servers.
func NewReport(s *view.Snapshot, p Process) *Report {
	r := &p.Report
	r.Running, r.Time, r.Role, r.Phase = true, s.Time.UTC(), roleOf(s), string(s.Status)
	r.setAges(s.Time)
	r.Started, r.Reloads.Last = r.Started.UTC(), r.Reloads.Last.UTC()
	r.MarkError, r.Folder, r.Orders = s.Marks, s.Folder, ListOrders(s.Orders, s)
	r.Checks = &Checks{Overdue: s.Overdue.Seconds(), Shortages: s.Shortages}
	if !s.Lacked.IsZero() { // even if the clock was set since
		r.Checks.Lacked = r.Time.Add(-s.Time.Sub(s.Lacked))
	}
	r.Table = Table{Error: s.Unread, Removing: s.Purging, Operations: map[string]view.Counts{}}
	for i, kind := range view.OperationNames {
		r.Table.Operations[kind] = s.Table[i]
	}
	r.Announcements, r.AnnounceError, r.Conditions = slices.Clone(s.Announcements), s.Announcing, s.Conditions
	for i := range r.Announcements {
		a := &r.Announcements[i]
		a.InState, a.Since = s.Time.Sub(a.Since).Seconds(), a.Since.UTC()
	}
	for i := range s.Virtuals {
		r.Virtuals = append(r.Virtuals, newVirtual(&s.Virtuals[i], s.Time))
	}
	return r
}

// setAges notes how long ago the daemon started and its configuration came into force.
func (r *Report) setAges(now time.Time) {
	r.Up, r.Reloads.Ago = now.Sub(r.Started).Seconds(), now.Sub(r.Reloads.Last).Seconds()
}

func roleOf(s *view.Snapshot) string {
	if s.Standby {
		return "standby"
	}
	return "active"
}

// ListOrders returns orders as a sorted list. It marks an order as lost if its server, virtual service or address is
// not configured.
func ListOrders(all orders.All, now *view.Snapshot) []orders.Entry {
	known := map[lvs.Backend]string{} // the name of the server; "" for a virtual service or an address
	for v, s := range now.Each() {
		known[lvs.At(v.ID, s.Alias)] = s.Real
		known[lvs.At(v.ID, s.Real)], known[lvs.Backend{Virtual: v.ID}] = s.Real, ""
	}
	for _, a := range now.Announcements {
		known[lvs.Backend{Virtual: a.Address}], known[lvs.Backend{Virtual: orders.EveryAddress}] = "", ""
	}
	list := make([]orders.Entry, 0, len(all))
	for _, at := range all.Sorted() {
		name, is := known[at]
		o := orders.Entry{Backend: at, Lost: !is, Order: all[at]}
		if is && name != at.Real {
			o.Server = name
		}
		o.Until = o.End()
		list = append(list, o)
	}
	return list
}

// newVirtual completes the director's facts about a virtual service. It changes the servers in place, because there may
// be many.
func newVirtual(known *view.Virtual, now time.Time) Virtual {
	v := Virtual(*known)
	for i := range v.Servers {
		complete(&v.Servers[i], now)
	}
	for _, f := range known.Fallbacks() {
		f.Check = newCheck(f.Checked, &f.Last)
	}
	for i := range v.Leaving {
		l := &v.Leaving[i]
		if l.Serves {
			l.Note = "serves until a new server passes or all fail, " + view.Carried(l.Connections)
			continue
		}
		left := max(l.Until.Sub(now), 0)
		l.Left = left.Seconds()
		l.Note = fmt.Sprintf("draining, %s, %s left", view.Carried(l.Connections), Short(left))
	}
	return v
}

// complete fills in the fields that follow from the director's facts about a server.
func complete(s *Server, now time.Time) {
	s.InState, s.Since, s.Due = now.Sub(s.Since).Seconds(), s.Since.UTC(), s.Due.UTC()
	s.Failures = maps.Collect(s.Tally.Failures())
	if s.InTable {
		s.TableWeight = &s.Effective
	}
	s.Check = newCheck(s.Checked, &s.Last)
	for i := range s.Checks {
		c := &s.Checks[i]
		c.Check = newCheck(c.Checked, &c.Last)
	}
}

// newCheck returns a result in its JSON form, or nil before the first result.
func newCheck(at time.Time, r *checker.Result) *Check {
	if at.IsZero() {
		return nil
	}
	c := &Check{Time: at.UTC(), OK: r.OK, Seconds: r.Took.Seconds(), Detail: r.Detail, Shows: r.Shows,
		Warning: r.Warning}
	c.Way = map[checker.Way]string{checker.WayThrough: "through", checker.WayVoid: "void"}[r.Way]
	if !r.OK {
		c.Cause = r.Cause.String()
	}
	return c
}

// ReadReport reads a report from the JSON of a daemon, which may be of another version.
func ReadReport(text []byte) (*Report, error) {
	r := &Report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("reading the daemon's report: %w", err)
	}
	if r.Time.IsZero() || r.Started.IsZero() || r.Reloads.Last.IsZero() || r.Table.Operations == nil ||
		r.Checks == nil {
		return nil, errors.New("reading the daemon's report: it is not complete")
	}
	if r.Up == 0 { // a former version
		r.setAges(r.Time)
	}
	for i := range r.Virtuals {
		for k := range r.Virtuals[i].Servers {
			r.Virtuals[i].Servers[k].Learn()
		}
	}
	return r, nil
}
