package director

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/history"
	"ldirectord/judge"
	"ldirectord/lvs"
	"ldirectord/orders"
)

// Snapshot is what the director knows at one moment. It shares nothing with the director that changes later.
type Snapshot struct {
	Time      time.Time
	Status    lvs.Status
	Standby   bool // the table is left to others
	Virtuals  []VirtualSnapshot
	Table     Operations
	Unread    string     // why the table can't be read; "" while it can
	Orders    orders.All // in force
	Over      orders.All // that have ended, and are given as before
	Marks     string     // why the mark rules can't be set; "" while they can
	Folder    string     // why maintenancedir can't be read; "" while it can
	Shortages uint64     // checks that failed by a shortage of this machine
	Purging   int        // virtual services that are no longer configured and not removed yet
	Overdue   time.Duration
	Small     bool      // the metrics leave out what is counted for each server
	Counted   time.Time // when the counters of the servers were read; zero before

	Announcements []AnnouncementSnapshot
	Announcing    string // why addresses can't be announced; "" while they can
}

// AnnouncementSnapshot is an address that is announced, or not, at one moment.
type AnnouncementSnapshot struct {
	Address string    `json:"address"`
	State   string    `json:"state"`            // announced, last resort or withdrawn
	On      string    `json:"device,omitempty"` // the device that it is on; "" for none
	Since   time.Time `json:"since"`
	Why     string    `json:"why,omitempty"`   // it should be elsewhere, or is not where it should be
	Fails   bool      `json:"fails,omitempty"` // it is the latter
	Changes uint64    `json:"changes"`         // how often it came, went or moved
	Device  string    `json:"-"`               // that of announce
	IDs     []string  `json:"-"`               // of its virtual services
}

// VirtualSnapshot is a virtual service at one moment. It and its parts are what status --json shows: fields are added,
// never renamed. What is filled in later is empty as it comes from the director.
type VirtualSnapshot struct {
	ID        string            `json:"id"` // tcp:192.0.2.1:80, fwm:3
	Name      string            `json:"-"`  // 192.0.2.1:80, 3
	Key       lvs.Key           `json:"-"`
	Title     string            `json:"servicename,omitempty"`
	Owner     string            `json:"belongs_to,omitempty"` // the other daemon of this machine that has it
	Beside    string            `json:"also_of,omitempty"`    // one that waits for it, or changes it as well
	Scheduler string            `json:"scheduler"`
	Refuses   bool              `json:"-"`                  // clients of a server with weight 0 are refused
	Fallback  *FallbackSnapshot `json:"fallback,omitempty"` // nil: none
	Rule      health.Rule       `json:"-"`                  // by which its servers go up and down
	Guard     GuardSnapshot     `json:"guard,omitzero"`
	Enough    *MinServers       `json:"minservers,omitempty"`     // nil without minservers
	Written   bool              `json:"written"`                  // the table is as the director wants it
	Error     string            `json:"error,omitempty"`          // why the table refused the last change
	Announced *bool             `json:"announced,omitempty"`      // its addresses are on the device of announce
	Nothing   bool              `json:"serves_nothing,omitempty"` // nothing serves; filled in later
	Added     []string          `json:"added_by_hand,omitempty"`  // servers that were added by hand, which are kept
	Took      Durations         `json:"-"`
	Stages    StageTimes        `json:"-"`
	Servers   []ServerSnapshot  `json:"servers"` // in the order of the file, last those that have no address
	Leaving   []LeaverSnapshot  `json:"leaving,omitempty"`
}

// LeaverSnapshot is a real server that left the file, at one moment: no new connections, and out of the table when it
// has none left. Note and Left are filled in later.
type LeaverSnapshot struct {
	Real        string       `json:"real"`
	State       string       `json:"state"`
	Note        string       `json:"note"`
	Rule        string       `json:"rule,omitempty"`            // that decided its place
	Effective   uint32       `json:"table_weight"`              // 0, but by hand, or while no other serves
	ByHand      bool         `json:"changed_by_hand,omitempty"` // its entry was changed by hand
	Connections lvs.Counters `json:"connections"`               // up to a second old
	Until       time.Time    `json:"-"`
	Left        float64      `json:"seconds_left"`
}

// GuardSnapshot is what keepserving does in a virtual service at one moment.
type GuardSnapshot struct {
	Keeps int  `json:"keeps"`           // how many servers checks must leave in service; 0: any number may go
	Held  int  `json:"held"`            // how many stay in service though their checks fail
	Obeys bool `json:"obeys,omitempty"` // by order checks may take out every server, until all are up
	Rests bool `json:"-"`               // all are up that are not out by order
	Brake bool `json:"-"`               // of checkvip: one may hold servers as well
}

// Each yields every real server once with its virtual service. One that is configured twice in the same section is one
// entry of the table.
func (now *Snapshot) Each() iter.Seq2[*VirtualSnapshot, *ServerSnapshot] {
	return func(yield func(*VirtualSnapshot, *ServerSnapshot) bool) {
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

// FallbackSnapshot is the fallback server of a virtual service at one moment.
type FallbackSnapshot struct {
	Server string `json:"server"` // address:port as configured
	Active bool   `json:"active"` // it serves
	// as the director last wrote the table; null when it is not there
	TableWeight *uint32 `json:"table_weight"`
	ByHand      bool    `json:"changed_by_hand,omitempty"` // its entry was changed by hand
	Rule        string  `json:"rule,omitempty"`            // that decided its place
}

// ServerSnapshot is a real server at one moment.
type ServerSnapshot struct {
	Real string `json:"real"` // as configured: address:port, or host:port with resolve
	ServerNames
	Addr    netip.AddrPort `json:"-"`                // in the table
	State   string         `json:"state"`            // unknown, up, down, drained, maintenance or off
	Since   time.Time      `json:"since"`            // of that state
	InState float64        `json:"seconds_in_state"` // filled in later
	Up      bool           `json:"-"`                // it passes its checks and may serve
	// why it is out: of the last failure while it is down, the shortage that leaves it unknown, the file of its
	// maintenance, the name without an address
	Reason      string  `json:"reason,omitempty"`
	Weight      int     `json:"weight"`                    // as configured
	InTable     bool    `json:"-"`                         // as the director last wrote the table
	Effective   uint32  `json:"-"`                         // weight in the table; 0 when it is not there
	TableWeight *uint32 `json:"table_weight"`              // the same, or null; filled in later
	ByHand      bool    `json:"changed_by_hand,omitempty"` // its entry was changed by hand
	Unjudged    string  `json:"unjudged,omitempty"`        // why its last answer can't be judged
	Drained     bool    `json:"drained,omitempty"`         // by the operator's order, whatever its state is
	Held        bool    `json:"held,omitempty"`            // down, and in service all the same: see keepserving
	Rule        string  `json:"rule,omitempty"`            // that decided its place in the table
	Note        string  `json:"note,omitempty"`            // what else there is to its state: moved away, its order

	Order *orders.Order `json:"-"` // of the operator; nil, or without a kind: none

	ServerResult
	ServerCounts
	Connections *lvs.Counters `json:"connections"` // as just read, or null; filled in later
	// of a server with several; ServerResult is of the worst one
	Checks []CheckSnapshot `json:"each_check,omitempty"`
	ServerPast
}

// ServerNames are what a server is called besides.
type ServerNames struct {
	Address string `json:"address,omitempty"` // of the host in Real, without a port; else ""
	Host    string `json:"name,omitempty"`    // where Real is its address
	Alias   string `json:"-"`                 // another name by which an order may mean it; "" for none
	Waits   bool   `json:"-"`                 // it is one server that has no address yet
	Moved   bool   `json:"-"`                 // the host has another address now
}

// ServerResult is what the last check found that says something about a server.
type ServerResult struct {
	Streak  int            `json:"streak"` // results in a row that speak against the state
	Braked  bool           `json:"-"`      // up, though its checks fail, by the brake of checkvip
	Checked time.Time      `json:"-"`      // up to a second late; zero before the first result
	Last    checker.Result `json:"-"`
	Check   *LastCheck     `json:"last_check"`          // the same; filled in later
	Due     time.Time      `json:"next_check,omitzero"` // when it is checked next; zero where that is not known
	// of all certificates that it showed the first to end, in seconds since the epoch; 0: none
	CertEnd int64 `json:"-"`
}

// ServerCounts is what is counted of a server.
type ServerCounts struct {
	Tally
	Failures map[string]uint32 `json:"failures,omitempty"` // by cause; filled in later
	Carries  lvs.Counters      `json:"-"`
	Counted  bool              `json:"-"` // Carries is known
}

// ServerPast is what is remembered of a server, with Why alone.
type ServerPast struct {
	Past          *history.History `json:"-"`
	CheckNames    map[uint8]string `json:"-"`                       // by their numbers in Past
	Conversations []Conversation   `json:"conversations,omitempty"` // the last ones of its checks that are down
}

// CheckSnapshot is one check of a server at one moment.
type CheckSnapshot struct {
	Name     string         `json:"check"`  // https 443
	State    string         `json:"state"`  // unknown, up or down
	Streak   int            `json:"streak"` // as above, and so on
	Unjudged string         `json:"unjudged,omitempty"`
	Checked  time.Time      `json:"-"`
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
	Warning string    `json:"warning,omitempty"`
	// with checkvip: through the virtual address, or void, at the server's own because of Warning
	Way string `json:"way,omitempty"`
}

// Snapshot returns what the director knows now. It waits until the director has a moment, which may take as
// long as an answer of the table, but no longer than ctx allows.
func (d *Director) Snapshot(ctx context.Context) (*Snapshot, error) {
	return d.look(ctx, d.snapshot)
}

// look takes a snapshot when the director has a moment.
func (d *Director) look(ctx context.Context, snapshot func() *Snapshot) (*Snapshot, error) {
	var now *Snapshot // no result: the director may still write it when ctx is done
	err := d.orders.submit(ctx, func(_ context.Context, done chan<- struct{}) {
		now = snapshot()
		close(done)
	})
	if err != nil {
		return nil, fmt.Errorf("the director waits for the table: %w", ctx.Err())
	}
	now.Overdue = d.examiner.pool.Overdue()
	return now, nil
}

// Snapshot is what is known of the plan before any check, with nothing in the table.
func (p *Plan) Snapshot() *Snapshot {
	a := announcer{}
	a.enlist(p.virtuals, time.Time{})
	return &Snapshot{Standby: true, Virtuals: describeAll(p.virtuals, nil), Announcements: a.describe()}
}

// snapshot copies what is known: one to three milliseconds for 10,000 servers.
func (d *Director) snapshot() *Snapshot {
	return &Snapshot{
		Time: time.Now(), Status: d.tell.status, Standby: d.standby,
		Orders: d.ordered.hold, Over: maps.Clone(d.ordered.over),
		Table: d.writer.asked, Unread: d.writer.unread, Marks: d.marker.trouble, Folder: d.folder.trouble,
		Shortages: d.examiner.shortages, Purging: len(d.purges),
		Announcements: d.announcer.describe(), Announcing: d.announcer.trouble,
		Virtuals: describeAll(d.virtuals, d.claimant.beside), Counted: d.writer.counted,
		Small: d.global.Metrics == "small",
	}
}

func describeAll(virtuals []*virtual, beside map[lvs.Key]string) []VirtualSnapshot {
	list := make([]VirtualSnapshot, len(virtuals))
	all := 0
	for _, v := range virtuals {
		all += v.size()
	}
	servers := make([]ServerSnapshot, all)
	for i, v := range virtuals {
		n := v.size()
		own := servers[:n:n]
		servers = servers[n:]
		describeServers(v, own)
		list[i] = VirtualSnapshot{
			ID: v.cfg.ID, Name: v.name, Title: v.cfg.ServiceName, Key: v.key,
			Scheduler: v.settings.Scheduler, Refuses: v.cfg.RefusesClientsOfTheDown(),
			Fallback: describeFallback(v),
			Written:  v.Known && !v.dirty, Rule: v.Rule, Error: v.refused, Added: added(&v.Case),
			Took: v.took, Stages: v.stages, Servers: own,
			Leaving: describeLeavers(v), Guard: GuardSnapshot{v.Quota(), v.holds, v.Obeys, v.Recovered(),
				len(v.Brakes) > 0},
			Enough: v.minServers(), Beside: beside[v.key],
		}
		if elsewhere := func(one *announcement) bool { return !one.isThere() }; len(v.addresses) > 0 {
			list[i].Announced = new(!slices.ContainsFunc(v.addresses, elsewhere))
		}
		if v.owner != activeDirector {
			list[i].Owner = v.owner
		}
		if v.owner != "" {
			list[i].Beside = ""
		}
	}
	return list
}

// size is how many servers a virtual service has, those without an address among them.
func (v *virtual) size() int { return len(v.servers) + len(v.cfg.Waiting) }

// describeServers fills in what is known of the servers, last those without an address.
func describeServers(v *virtual, list []ServerSnapshot) {
	for i, s := range v.servers {
		list[i].describe(v, s)
	}
	for i := range v.cfg.Waiting {
		w := &v.cfg.Waiting[i]
		list[len(v.servers)+i] = ServerSnapshot{
			Real: w.Name, ServerNames: ServerNames{Waits: !w.IsRange}, State: health.Unknown.String(),
			Since: v.waitingSince, Weight: w.Weight, Reason: noAddress(*w),
		}
	}
}

// describe fills in what is known of a server.
func (now *ServerSnapshot) describe(v *virtual, s *server) {
	now.Real, now.Alias = s.names()
	now.Addr, now.Weight = s.Dest.Addr, int(s.Dest.Weight)
	if now.Moved = s.moved != nil; s.followed() {
		now.Address = s.real.Addr.Addr().String()
	} else if s.real.Named != nil {
		now.Host = s.real.Named.Host
	}
	worst := s.worst()
	now.State, now.Since, now.Streak = s.StateName().String(), s.Since, int(worst.Health.Streak)
	now.ByHand, now.Drained = v.ByHand[s.Dest.Addr], s.Drained()
	now.Up, now.Held = s.IsUp() && !s.Held, s.Held && !now.Drained
	now.Order, now.Note, now.Rule = s.order, s.note(), s.rule.String()
	why := ""
	switch {
	case now.Moved:
		why = "its name has a new address; this server serves until it fails, or until the one at the new " +
			"address is up; "
	case s.stays:
		why = "it left the file; it stays until every name in the file has an address, or until the next " +
			"reload; "
	}
	now.Note = strings.TrimSuffix(why+now.Note, "; ")
	now.Tally, now.Carries, now.Counted = s.tally, s.carries, s.counted
	for j := &s.first; j != nil; j = j.next {
		now.Braked = now.Braked || v.IsBraked(j.Check)
		c := j.check
		if c != nil && c.last.CertEnd != 0 && (now.CertEnd == 0 || c.last.CertEnd < now.CertEnd) {
			now.CertEnd = c.last.CertEnd
		}
		if c != nil && c.answered != 0 {
			due := c.answered.Time().Add(cmp.Or(c.hurried, j.task.Every))
			if now.Due.IsZero() || due.Before(now.Due) {
				now.Due = due
			}
		}
		now.Unjudged = cmp.Or(now.Unjudged, user{v, s, j}.named(j.cantJudge()))
		if s.first.next != nil {
			now.Checks = append(now.Checks, user{v, s, j}.describe())
		}
	}
	if now.Braked {
		now.Note = strings.TrimSuffix("not believed: every server that was up fails only through "+
			v.cfg.CheckVIP.String()+"; "+now.Note, "; ")
	}
	now.Effective, now.InTable = v.WeightAt(s.Dest.Addr)
	if c := worst.check; c != nil {
		now.Checked, now.Last = c.at.Time(), c.last
	}
	switch now.State {
	case "down":
		now.Reason = user{v, s, worst}.named(worst.reason)
	case "unknown":
		if worst.shortages > 0 {
			now.Reason = user{v, s, worst}.named(worst.reason)
		}
	case "maintenance":
		now.Reason = s.suspended()
	}
}

func (x user) describe() CheckSnapshot {
	j := x.j
	now := CheckSnapshot{Name: x.checkName(), State: j.Health.State.String(), Streak: int(j.Health.Streak),
		Unjudged: j.cantJudge()}
	if j.check != nil {
		now.Checked, now.Last = j.check.at.Time(), j.check.last
	}
	return now
}

func describeFallback(v *virtual) *FallbackSnapshot {
	if v.cfg.Fallback == nil {
		return nil
	}
	now := &FallbackSnapshot{Server: v.cfg.Fallback.Addr.String(), Active: v.FallbackIn,
		ByHand: v.ByHand[v.Fallback.Addr], Rule: v.rules[v.Fallback.Addr].String()}
	if weight, in := v.WeightAt(v.Fallback.Addr); in {
		now.TableWeight = &weight
	}
	return now
}

// added are the destinations that were put by hand beside those that are configured.
func added(v *judge.Case) (list []string) {
	if len(v.ByHand) == 0 { // mostly: nothing is allocated
		return nil
	}
	for _, addr := range slices.SortedFunc(maps.Keys(v.ByHand), netip.AddrPort.Compare) {
		if _, in := v.WeightAt(addr); in && v.IsNobodys(addr) {
			list = append(list, addr.String())
		}
	}
	return list
}
