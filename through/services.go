// Package through checks real servers the way clients come: by a virtual address, forwarded by IPVS. For each server there is
// a private service of IPVS, which the mark of a check's socket chooses, and which forwards to that server alone.
package through

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
)

const (
	tableTimeout  = 2 * time.Second  // how long is waited for the table
	sourceRenewed = 10 * time.Second // after which the source of a check is looked for again
)

// Table has the private services, as an ipvsctl.Client.
type Table interface {
	Do(ctx context.Context, ops ...ipvsctl.Op) []error
	Counters(ctx context.Context, key ipvsctl.Key) (map[netip.AddrPort]ipvsctl.Counters, error)
}

// Options are what the services of a daemon need.
type Options struct {
	Table  Table
	Former []ipvsctl.PrivateService                     // what the daemon before may have left
	Save   func([]ipvsctl.PrivateService) error         // writes all down that may be in the table, before it is
	Taken  func(context.Context) func(mark uint32) bool // which marks others use; asked by Set
}

// Services are the private services of one daemon. While they are not started, checks go to the servers' own addresses.
type Services struct {
	on   atomic.Bool
	line chan struct{} // has room for the one who uses the table and what follows

	Options
	all     map[ipvsctl.PrivateService]*service // by themselves, without their marks
	used    map[uint32]bool                     // marks
	virtual map[netip.Addr]bool                 // where clients send to
	taken   func(mark uint32) bool
	saved   bool // what is in all is written down
	machine
}

// service is a private service.
type service struct {
	ipvsctl.PrivateService
	wanted atomic.Bool
	busy   atomic.Int32 // checks that use it

	ours    bool // what has its mark in the table is ours
	present bool // in the table, when it was last looked at
	made    int  // how often it was made

	source netip.Addr
	mss    int
	looked time.Time // when source and mss were found
}

// New returns services that are not started.
func New() *Services {
	return &Services{line: make(chan struct{}, 1), all: map[ipvsctl.PrivateService]*service{}, used: map[uint32]bool{}, virtual: map[netip.Addr]bool{}, saved: true}
}

// Start makes checks go through private services from now on. It changes nothing in the table.
func (s *Services) Start(o Options) {
	s.Options, s.taken = o, func(uint32) bool { return false }
	for _, p := range o.Former {
		sv := &service{PrivateService: p, ours: true}
		s.used[p.Key.Mark], p.Key.Mark = true, 0
		s.all[p] = sv
	}
	s.on.Store(true)
}

// with lets f use the table and all that is known of it.
func (s *Services) with(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, tableTimeout, errors.New("the table does not answer"))
	defer cancel()
	select {
	case s.line <- struct{}{}:
		defer func() { <-s.line }()
		return f(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Set chooses and writes down the marks for these ways, all at once, and removes all other services, each as soon as no
// check uses it any more. The keys are the virtual services of the configuration. What fails is tried again by the checks.
func (s *Services) Set(ctx context.Context, ways []checker.Through, keys []ipvsctl.Key) {
	taken := s.taken
	if s.on.Load() && len(ways) > 0 {
		taken = s.Taken(ctx)
	}
	var gone []*service
	_ = s.with(ctx, func(context.Context) error {
		for _, sv := range s.all {
			sv.wanted.Store(false)
		}
		s.taken = taken
		for _, k := range keys {
			s.used[k.Mark], s.virtual[k.Addr.Addr()] = true, true
		}
		for _, w := range ways {
			s.virtual[w.Virtual] = true
			s.of(w).wanted.Store(true)
		}
		for _, sv := range s.all {
			if !sv.wanted.Load() {
				gone = append(gone, sv)
			}
		}
		return s.save()
	})
	s.remove(ctx, gone...)
}

// Close removes all services. Checks that still run are void.
func (s *Services) Close(ctx context.Context) {
	s.on.Store(false)
	s.Set(ctx, nil, nil)
}

// of is the service of a way.
func (s *Services) of(w checker.Through) *service {
	id := ipvsctl.PrivateService{Key: ipvsctl.Key{IPv6: w.Virtual.Is6()}}
	id.Dest = ipvsctl.Dest{Addr: netip.AddrPortFrom(w.Server, 0), Forward: ipvsctl.Route, Weight: 1}
	if w.Tunnel != "" {
		id.Dest.Forward = ipvsctl.Tunnel
	}
	if s.all[id] == nil {
		s.all[id] = &service{PrivateService: id}
		s.choose(s.all[id])
	}
	return s.all[id]
}

// choose gives a service the next mark that is free. Tunnels have a half of the marks for themselves: while connections
// last, the kernel keeps the route of a destination, which must not be one of the other method.
func (s *Services) choose(sv *service) {
	mark, last := ipvsctl.FirstPrivate, ipvsctl.LastPrivate
	if half := (last - mark) / 2; sv.Dest.Forward == ipvsctl.Tunnel {
		mark += half + 1
	} else {
		last -= half + 1
	}
	for mark < last && (s.used[mark] || s.taken(mark)) {
		mark++
	}
	sv.Key.Mark, sv.ours, s.used[mark], s.saved = mark, false, true, false
}

// save writes down what there may be in the table, unless that is done.
func (s *Services) save() (err error) {
	if s.saved {
		return nil
	}
	var all []ipvsctl.PrivateService
	for _, sv := range s.all {
		all = append(all, sv.PrivateService)
	}
	if err = s.Save(all); err != nil {
		return fmt.Errorf("its mark can't be written down: %w", err)
	}
	s.saved = true
	return nil
}

// begin makes the service of a way, if it is not known to be in the table. It returns how often it was made, and how a check
// reaches it.
func (s *Services) begin(ctx context.Context, w checker.Through) (sv *service, made int, via checker.Via, err error) {
	err = s.with(ctx, func(ctx context.Context) error {
		sv = s.of(w)
		sv.busy.Add(1)
		err := s.save()
		for err == nil && !sv.present {
			err = s.make(ctx, sv)
		}
		err = cmp.Or(err, s.locate(sv))
		made, via = sv.made, checker.Via{To: w.Virtual, Mark: sv.Key.Mark, Source: sv.source, MSS: sv.mss}
		return err
	})
	return sv, made, via, err
}

// make makes a service, or gives it another mark where its own is taken.
func (s *Services) make(ctx context.Context, sv *service) error {
	err := s.Table.Do(ctx, ipvsctl.Op{Kind: ipvsctl.AddService, Key: sv.Key, Settings: ipvsctl.Private, New: true})[0]
	if errors.Is(err, syscall.EEXIST) {
		in, n, err := s.look(ctx, sv)
		if err != nil {
			return err
		}
		if !in && (n > 0 || !sv.ours) {
			s.choose(sv)
			return s.save()
		}
		sv.ours = true
	} else if sv.ours = true; err != nil {
		return err
	}
	err = s.Table.Do(ctx, ipvsctl.Op{Kind: ipvsctl.AddDest, Key: sv.Key, Dest: sv.Dest})[0]
	if err == nil {
		sv.present, sv.made = true, sv.made+1
	}
	return err
}

// look reads the destinations of a service: whether its own is the only one, and how many there are.
func (s *Services) look(ctx context.Context, sv *service) (in bool, n int, err error) {
	all, err := s.Table.Counters(ctx, sv.Key)
	_, in = all[sv.Dest.Addr]
	return in && len(all) == 1, len(all), err
}

// judge judges an answer that came by a service.
func (s *Services) judge(ctx context.Context, sv *service, made int, w checker.Through, r checker.Result) (v Verdict, why string) {
	answered := time.Now()
	err := s.with(ctx, func(ctx context.Context) error {
		in, _, err := s.look(ctx, sv)
		if err != nil {
			return err
		}
		sv.present = sv.present && in
		var k Kernel
		if !r.OK {
			sv.looked = time.Time{}
			k = s.kernel(w.Virtual, sv.source, answered)
		}
		v, why = Judge(r, sv.present && sv.made == made, w.Virtual.Is6(), k)
		return nil
	})
	if err != nil {
		return Void, err.Error()
	}
	return v, why
}

// end ends the use of a service. One that is not wanted any more is removed.
func (s *Services) end(ctx context.Context, sv *service) {
	if sv != nil && sv.busy.Add(-1) == 0 && !sv.wanted.Load() {
		s.remove(context.WithoutCancel(ctx), sv)
	}
}

// remove removes services that nobody uses, as long as the table answers.
func (s *Services) remove(ctx context.Context, list ...*service) {
	var err error
	for _, sv := range list {
		err = cmp.Or(err, s.with(ctx, func(ctx context.Context) error { return s.removeOne(ctx, sv) }))
	}
	_ = s.with(ctx, func(context.Context) error { return s.save() })
}

func (s *Services) removeOne(ctx context.Context, sv *service) error {
	if sv.wanted.Load() || sv.busy.Load() > 0 {
		return nil
	}
	if sv.ours {
		in, n, err := s.look(ctx, sv)
		if err == nil && (in || n == 0) {
			err = s.Table.Do(ctx, ipvsctl.Op{Kind: ipvsctl.DelService, Key: sv.Key})[0]
		}
		if err != nil {
			return err
		}
	}
	id := sv.PrivateService
	id.Key.Mark = 0
	delete(s.all, id)
	delete(s.used, sv.Key.Mark)
	s.saved = false
	return nil
}

// locate finds the source of checks that go to a service, and the segments that fit there.
func (s *Services) locate(sv *service) error {
	now := time.Now()
	if now.Sub(sv.looked) < sourceRenewed {
		return nil
	}
	source, err := towards(sv.Dest.Addr.Addr())
	if err != nil {
		return err
	}
	if s.virtual[source] {
		return fmt.Errorf("the only address of this machine towards %v is %v, a virtual one", sv.Dest.Addr.Addr(), source)
	}
	mtu := cmp.Or(s.at(now.Add(-sourceRenewed))[source].MTU, 1500)
	sv.source, sv.mss, sv.looked = source, min(mtu, 1500)-100, now
	return nil
}
