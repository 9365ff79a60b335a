// Package view describes the state of the director at one moment. Status, page, metrics and commands show it.
package view

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/health"
	"ldirectord/internal/history"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
)

// Snapshot is the state of the director at one moment. Later changes in the director do not affect it.
type Snapshot struct {
	Time      time.Time
	Status    lvs.Status
	Standby   bool // this director leaves the table alone
	Virtuals  []Virtual
	Table     Operations
	Unread    string        // why the table can't be read; "" while it can
	Orders    orders.All    // in force
	Over      orders.All    // orders that have ended here, although their sender still gives them
	Marks     string        // why the mark rules can't be set; "" while they can
	Folder    string        // why maintenancedir can't be read; "" while it can
	Shortages uint64        // checks that failed because of a shortage of this machine
	Lacked    time.Time     // when the last of these checks failed
	Purging   int           // virtual services that are no longer configured but not yet removed
	Overdue   time.Duration // the delay of the most overdue check
	Small     bool          // metrics = small
	Counted   time.Time     // when the counters of the servers were read; zero: not yet

	Conditions []Condition // of this machine

	Announcements []Announcement
	Announcing    string // why addresses can't be announced; "" while they can
}

// Clone returns a copy. Await and reports may change it without changing the original.
func (now *Snapshot) Clone() *Snapshot {
	one := *now
	one.Virtuals = slices.Clone(now.Virtuals)
	for i := range one.Virtuals {
		v := &one.Virtuals[i]
		v.Servers, v.Leaving = slices.Clone(v.Servers), slices.Clone(v.Leaving)
		for k := range v.Servers {
			s := &v.Servers[k]
			s.Checks, s.Conditions = slices.Clone(s.Checks), slices.Clip(s.Conditions)
		}
		v.AlsoFallbacks = slices.Clone(v.AlsoFallbacks)
		for k, f := range v.AlsoFallbacks {
			v.AlsoFallbacks[k] = new(*f)
		}
		if v.Fallback != nil {
			v.Fallback = new(*v.Fallback)
		}
	}
	return &one
}

// Announcement is the state of an announced address at one moment.
type Announcement struct {
	Address string    `json:"address"`
	State   string    `json:"state"`            // announced, last resort or withdrawn
	On      string    `json:"device,omitempty"` // its current device; "" for none
	Since   time.Time `json:"since"`
	InState float64   `json:"seconds_in_state"`  // filled in later
	Why     string    `json:"why,omitempty"`     // what speaks against announcing it, or prevents it
	Fails   bool      `json:"fails,omitempty"`   // it is not where it should be
	Foreign string    `json:"foreign,omitempty"` // a device on which another program put it; "" for none
	Changes uint64    `json:"changes"`           // how often it was added, removed or moved
	Up      bool      `json:"-"`                 // the device in Foreign is up
	Owner   string    `json:"-"`                 // the other daemon that has it; "" for none
	Device  string    `json:"-"`                 // the device that announce names
	IDs     []string  `json:"-"`                 // its virtual services
}

// Virtual is a virtual service at one moment. status --json shows this type and its parts, so fields may be added but
// never renamed. Fields that are "filled in later" are empty when the director returns a virtual service.
type Virtual struct {
	ID        string  `json:"id"` // tcp:192.0.2.1:80, fwm:3
	Key       lvs.Key `json:"-"`
	Title     string  `json:"servicename,omitempty"`
	Owner     string  `json:"belongs_to,omitempty"` // the other daemon of this machine that owns it
	Beside    string  `json:"also_of,omitempty"`    // a daemon that waits for it, or changes it too
	Scheduler string  `json:"scheduler"`
	// the scheduler refuses clients of a server with weight 0
	Refuses  bool      `json:"-"`
	Fallback *Fallback `json:"fallback,omitempty"` // nil: none
	// the servers of alsofallback, in file order
	AlsoFallbacks []*Fallback  `json:"also_fallbacks,omitempty"`
	Rule          health.Rule  `json:"-"` // the thresholds for its servers
	Guard         Guard        `json:"guard,omitzero"`
	Order         orders.Order `json:"order,omitzero"`           // the order to obey the checks
	Enough        *MinServers  `json:"minservers,omitempty"`     // nil without minservers
	Written       bool         `json:"written"`                  // the table has it as the director wants it
	Error         string       `json:"error,omitempty"`          // why the table refused the last change
	Full          bool         `json:"full,omitempty"`           // all servers in service are full
	Announced     *bool        `json:"announced,omitempty"`      // its addresses are on the device of announce
	Serving       int          `json:"serving"`                  // how many servers get new clients
	Nothing       bool         `json:"serves_nothing,omitempty"` // nothing in the table has a weight above 0
	// destinations that were added by hand and are kept
	Added      []string    `json:"added_by_hand,omitempty"`
	Conditions []Condition `json:"conditions,omitempty"`
	// the first of its directives that can keep servers in service or delay their return; "" if it has none
	Holder    string      `json:"-"`
	Recovered bool        `json:"-"` // every server that counts is up, see judge.Case.Recovered
	Took      Durations   `json:"-"`
	Stages    StageTimes  `json:"-"`
	Servers   []Server    `json:"servers"` // in the order of the file; servers without an address last
	Leaving   []Departure `json:"leaving,omitempty"`
}

// Departure is the state, at one moment, of a real server that was removed from the file or moved to another address.
// It gets no new connections while another server serves, and is removed from the table once all its connections have
// ended, or draintime is over. Note and Left are filled in later.
type Departure struct {
	Real  string `json:"real"`
	State string `json:"state"`
	Note  string `json:"note"`
	Rule  string `json:"rule,omitempty"` // the rule that decided its place
	// 0, unless it was changed by hand or no other server serves
	Effective   uint32       `json:"table_weight"`
	ByHand      bool         `json:"changed_by_hand,omitempty"` // its entry in the table was changed by hand
	Connections lvs.Counters `json:"connections"`               // up to a second old
	// all servers were replaced, and draintime has not begun
	Serves bool      `json:"serves,omitempty"`
	Until  time.Time `json:"-"`
	Left   float64   `json:"seconds_left"` // 0 if it serves
}

// Guard is the state of keepserving and paceout in a virtual service at one moment.
type Guard struct {
	Keeps int  `json:"keeps"`           // how many servers checks must leave in service; 0: none
	Held  int  `json:"held"`            // how many servers they hold
	Obeys bool `json:"obeys,omitempty"` // an order lets checks remove every server, until all are up
	Paced bool `json:"paced,omitempty"` // it has paceout, which may hold servers too
}

// Each yields every real server once, together with its virtual service. If a section names a server twice, the table
// has only one entry for it.
func (now *Snapshot) Each() iter.Seq2[*Virtual, *Server] {
	return func(yield func(*Virtual, *Server) bool) {
		seen := map[string]bool{}
		for i := range now.Virtuals {
			v := &now.Virtuals[i]
			clear(seen)
			for j := range v.Servers {
				s := &v.Servers[j]
				if seen[s.Real] {
					continue
				}
				seen[s.Real] = true
				if !yield(v, s) {
					return
				}
			}
		}
	}
}

// Among is like Each, but yields only the given servers.
func (now *Snapshot) Among(servers []lvs.Backend) iter.Seq2[*Virtual, *Server] {
	meant := setOf(servers)
	return func(yield func(*Virtual, *Server) bool) {
		for v, s := range now.Each() {
			if meant[lvs.At(v.ID, s.Real)] && !yield(v, s) {
				return
			}
		}
	}
}

// Fallback is a fallback server of a virtual service at one moment.
type Fallback struct {
	Server string `json:"server"` // address:port as configured
	Active bool   `json:"active"` // it serves
	// the weight in the last known table; null if the server is not in it
	TableWeight *uint32 `json:"table_weight"`
	ByHand      bool    `json:"changed_by_hand,omitempty"` // its entry in the table was changed by hand
	Rule        string  `json:"rule,omitempty"`            // the rule that decided its place
	// With fallbackcheck, State is unknown, up or down, and the fields below are as in Server. The state only
	// decides which of several fallback servers serves.
	State      string         `json:"state,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Conditions []Condition    `json:"conditions,omitempty"`
	Checked    time.Time      `json:"-"`
	Last       checker.Result `json:"-"`
	Check      *LastCheck     `json:"last_check,omitempty"`
	Asked      *Server        `json:"-"` // all that is known of it; only Why fills it in, if it is named
}

// Server is a real server at one moment.
type Server struct {
	Real string `json:"real"` // as configured: address:port, or host:port with resolve
	ServerNames
	Tags    lvs.Tags       `json:"tags,omitempty"`   // of its line
	Addr    netip.AddrPort `json:"-"`                // in the table
	State   string         `json:"state"`            // unknown, up, down, drained, maintenance or off
	Since   time.Time      `json:"since,omitzero"`   // of that state
	InState float64        `json:"seconds_in_state"` // filled in later
	// Up: it counts as up without being held, and no order, maintenance, report or wait keeps it out of service.
	// Serves: it gets new clients or, if the table is unknown, would get them according to its checks.
	Up, Serves bool `json:"-"`
	// why it is out of service: the last failure if it is down, the shortage that makes it unknown, what puts it
	// into maintenance (a file, an order, its own report), or the name that has no address
	Reason      string  `json:"reason,omitempty"`
	Weight      int     `json:"weight"`                    // as configured
	InTable     bool    `json:"-"`                         // in the last known table
	Effective   uint32  `json:"-"`                         // weight in the table; 0 when it is not there
	TableWeight *uint32 `json:"table_weight"`              // the same, or null; filled in later
	Parts       string  `json:"weight_parts,omitempty"`    // what makes up the weight in the table while it changes
	ByHand      bool    `json:"changed_by_hand,omitempty"` // its entry in the table was changed by hand
	Unjudged    string  `json:"unjudged,omitempty"`        // why its last answer can't be judged
	Drained     bool    `json:"drained,omitempty"`         // by an order or its own report, whatever its state
	Held        bool    `json:"held,omitempty"`            // by keepserving or paceout, see judge.Server
	Rule        string  `json:"rule,omitempty"`            // the rule that decided its place in the table
	Note        string  `json:"note,omitempty"`            // the texts of most of its conditions

	Conditions []Condition   `json:"conditions,omitempty"`
	Order      *orders.Order `json:"-"` // the operator's order; nil, or without a kind: none

	ServerResult
	ServerCounts
	Connections *lvs.Counters `json:"connections"` // as just read; null if unknown; filled in by the reader
	// each check of a server that has several checks; ServerResult is the worst of them
	Checks []Check `json:"each_check,omitempty"`
	ServerPast
}

// ServerNames are other names of a server, and what follows from its name and its line.
type ServerNames struct {
	Address string `json:"address,omitempty"` // of the host in Real, without a port; otherwise ""
	Host    string `json:"name,omitempty"`    // the host name, if Real is an address
	Alias   string `json:"-"`                 // another name that orders may use; "" for none
	Backup  string `json:"backup,omitempty"`  // of a backup server: needed, drains or waits
	Waits   bool   `json:"-"`                 // it is a single server without an address yet
	Moved   bool   `json:"-"`                 // the host has a new address
}

// ServerResult is the last conclusive result for a server, and what follows from the results.
type ServerResult struct {
	Streak   int  `json:"streak"` // results against the state, see health.Health
	Withheld bool `json:"-"`      // up only by the brake of checkvip; its checks fail
	Fallen   bool `json:"-"`      // checks took it out; an order ready lets it back in without a wait
	// the directive that keeps it out of service although its checks pass: holddown, comeback, pace or observe
	WaitsFor string         `json:"waits_for,omitempty"`
	Checked  time.Time      `json:"-"` // up to a second late; zero before the first result
	Began    time.Time      `json:"-"` // when the check began; independent of the clock
	Last     checker.Result `json:"-"`
	Check    *LastCheck     `json:"last_check"`          // the same; filled in later
	Due      time.Time      `json:"next_check,omitzero"` // when the next check is due; zero if unknown
	// when the first of its certificates expires, in seconds since the epoch; 0 if it has none
	CertEnd int64 `json:"-"`
}

// ServerCounts are the counters of a server.
type ServerCounts struct {
	Tally
	Failures map[string]uint32 `json:"failures,omitempty"`    // failures by cause; filled in later
	Limit    uint32            `json:"upper_limit,omitempty"` // of connections, as configured; 0: none
	Full     bool              `json:"full,omitempty"`        // it is at the limit: it gets no new clients
	// why observe suspects that its clients get no answers; "" if it does not
	Suspected string `json:"suspected,omitempty"`
	// how it differs from the other servers in its section; "" if it does not
	Differs string       `json:"differs,omitempty"`
	Carries lvs.Counters `json:"-"`
	Counted bool         `json:"-"` // Carries is known
	Forward lvs.Forward  `json:"-"` // as configured; only with masq do packets from the server pass this machine
}

// ServerPast is the history of a server; only Why fills it in.
type ServerPast struct {
	Past       *history.History `json:"-"`
	CheckNames map[uint8]string `json:"-"` // the names of checks by their numbers in Past
	// the last conversations of its checks that are down
	Conversations []Conversation `json:"conversations,omitempty"`
}

// Check is the state, at one moment, of one of a server's checks.
type Check struct {
	Name     string         `json:"check"` // https 443
	Agent    bool           `json:"agent,omitempty"`
	State    string         `json:"state"`  // unknown, up or down
	Streak   int            `json:"streak"` // these fields as in Server
	Unjudged string         `json:"unjudged,omitempty"`
	Checked  time.Time      `json:"-"`
	Began    time.Time      `json:"-"`
	Last     checker.Result `json:"-"`
	Check    *LastCheck     `json:"last_check"`
}

// LastCheck is the result of one check.
type LastCheck struct {
	Time    time.Time `json:"time"`
	OK      bool      `json:"ok"`
	Seconds float64   `json:"seconds"`
	Cause   string    `json:"cause,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	Shows   string    `json:"shows,omitempty"` // what the directive same found in the answer
	Warning string    `json:"warning,omitempty"`
	// with checkvip: "through" if the check went through the virtual address, "void" if it used the server's own
	// address because of Warning
	Way string `json:"way,omitempty"`
}

// MinServers shows whether enough servers of a virtual service are up.
type MinServers struct {
	Up     int  `json:"up"`     // servers that count
	Needed int  `json:"needed"` // how many servers are enough: LOW, or HIGH once there were fewer than LOW
	Enough bool `json:"enough"`
	Low    int  `json:"-"` // LOW itself
}

// Conversation is what a failed check sent and received, without secrets.
type Conversation struct {
	Check string    `json:"check"`
	Time  time.Time `json:"time"`
	Text  string    `json:"text"`
}
