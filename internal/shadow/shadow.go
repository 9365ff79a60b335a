// Package shadow compares what this program would do with what another running daemon does. It runs the same checks. A
// director like that of our daemon maintains a table in memory, and shadow compares this table with the live one.
// Nothing is written to the live table.
package shadow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"ldirectord/internal/director"
	"ldirectord/internal/lvs"
	"ldirectord/internal/maintenance"
	"ldirectord/internal/plan"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

const (
	readInterval = time.Second     // between two readings of the live table
	readTimeout  = 5 * time.Second // the time limit of a reading
)

// Reader is the part of an ipvsctl.Client that only reads.
type Reader interface {
	Read(context.Context) (lvs.Table, error)
	Services(context.Context, ...lvs.Key) (lvs.Table, error)
}

// Options contains what a shadow needs.
type Options struct {
	Live     Reader // the live table, read by several goroutines
	Plan     *plan.Plan
	Programs bool // run external checks; otherwise their servers are up while they are in service in the live table
	// Changed returns a new plan if the file has changed, otherwise nil. It is called after each reading.
	Changed func() *plan.Plan
	Say     func(line string)  // gets what happens, line by line
	Update  func(Report) error // gets the report after each reading
}

// shadow is the state of one call of Run. Only the goroutine of Run uses its fields, except table, which followers
// read.
type shadow struct {
	Options
	memory   *ipvsctl.Memory
	director *director.Director
	report   Report
	open     map[place]*Difference
	fallback map[place]bool
	compared map[lvs.Key]bool // the virtual services that have been seen in the live table
	unmade   time.Duration    // how long the followed checks may take in the live daemon
	was      pair
	unread   string // why the live table can't be read; "" while it can
	table    atomic.Pointer[lvs.Table]
}

// pair contains both tables as they were last read. Before the first comparison, ours is nil.
type pair struct{ live, ours lvs.Table }

// ownTable is the table of the director. A server that is removed from the file drains until it has no connections in
// the live table.
type ownTable struct {
	*ipvsctl.Memory
	live Reader
}

// Services returns the services of the live table.
func (t ownTable) Services(ctx context.Context, keys ...lvs.Key) (lvs.Table, error) {
	return t.live.Services(ctx, keys...)
}

// Run compares the tables until ctx is done, and returns a report. Like a daemon that has just started, it begins with
// the services of the plan as they are in the live table. It returns an error if it could not begin, if the director
// failed, or if the last report could not be published.
func Run(ctx context.Context, o Options) (Report, error) {
	s := &shadow{Options: o, open: map[place]*Difference{}, compared: map[lvs.Key]bool{},
		report: Report{Begun: time.Now()}}
	table, err := s.Live.Read(ctx)
	if err != nil {
		return s.report, fmt.Errorf("reading the live table: %w", err)
	}
	s.table.Store(&table)
	s.was.live = table
	s.adopt(o.Plan)
	if err := s.publish(); err != nil {
		return s.report, err
	}
	ours := maps.Clone(table)
	maps.DeleteFunc(ours,
		func(key lvs.Key, _ lvs.VirtualService) bool { return !slices.Contains(o.Plan.Keys(), key) })
	s.memory = ipvsctl.NewMemory(ours)
	s.director = director.New(director.Deps{
		Table: ownTable{s.memory, s.Live}, Maintenance: maintenance.New(nil).Watch,
	})
	directing, end := context.WithCancelCause(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.director.Run(directing, o.Plan) }()
	s.watch(ctx)
	end(director.ErrHandover)
	err = <-ended
	s.report.Ended = true
	return s.report, errors.Join(err, s.publish())
}

// watch compares both tables every second until ctx is done.
func (s *shadow) watch(ctx context.Context) {
	ticker := time.NewTicker(readInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if s.look(ctx); s.Changed == nil || ctx.Err() != nil {
			continue
		}
		if p := s.Changed(); p != nil {
			s.adopt(p)
			_ = s.director.Reload(ctx, p, false) // it fails only once ctx is done
		}
	}
}

// look reads both tables and compares them.
func (s *shadow) look(ctx context.Context) {
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	live, err := s.Live.Read(reading)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.report.Unread++
		if why := err.Error(); why != s.unread {
			s.unread = why
			s.Say("The live table can't be read: " + why)
		}
		return
	}
	s.unread = ""
	s.report.Readings++
	s.table.Store(&live)
	if ours, err := s.memory.Read(ctx); err == nil {
		s.compare(ctx, pair{live, ours})
		_ = s.publish() // the error of the last report counts, see Run
	}
}

// adopt switches the shadow to a new plan. Without programs, it replaces the checks that would run one.
func (s *shadow) adopt(p *plan.Plan) {
	s.Plan, s.report.Followed, s.fallback, s.unmade = p, nil, map[place]bool{}, 0
	for _, v := range p.Services {
		for x := range v.Uses(v.Entries...) {
			e, at := x.Entry, place{v.Key(), x.Entry.Dest.Addr}
			s.fallback[at] = e.Fallback
			kind := x.Check().CheckType
			if s.Programs || x.Line.Task == nil || kind != parser.External && kind != parser.ExternalPerl {
				continue
			}
			x.Line.Task.Checker = follower{&s.table, at, e.Dest.Weight}
			s.unmade += x.Spec().Timeout
			s.report.Followed = append(s.report.Followed, v.Config.ID+" "+e.Name())
		}
	}
	if n := len(s.report.Followed); n > 0 {
		s.Say(fmt.Sprintf("%d checks run programs, and need --with-programs: their servers are assumed to "+
			"be as in the live table", n))
	}
}
