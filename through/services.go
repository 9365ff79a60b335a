// Package through checks real servers as clients reach them: by a virtual address, forwarded by IPVS. For each server
// there is a private service of IPVS, which forwards to that server alone. The mark of a check's socket chooses the
// service.
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
	"ldirectord/checker/wire"
	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/run"
)

const (
	lineTimeout  = 10 * time.Second // the wait for a turn: a thousand first checks may begin at once
	checkTimeout = 2 * time.Second  // how long a check waits for the table
	setTimeout   = 5 * time.Second  // how long a reload waits for the table
	wayRenewed   = time.Minute      // after this time the path of a check is tested again; after a failure at once
	eachRenewed  = 20 * time.Second // the same if several checks use one service
	summedUp     = 5 * time.Second  // the kernel adds up its counters every two; a check may come just before
)

const countedBy = 100 * time.Millisecond // after this time a packet that was not counted is sent once more

var (
	errSilent = errors.New("the table does not answer")
	errLost   = errors.New("the private service was lost")
)

var errNoMark = fmt.Errorf(
	"the server has no private service: other programs use all marks from %#x to %#x (ip rule), or the "+
		"virtual service has left the configuration",
	ipvsctl.FirstPrivate, ipvsctl.LastPrivate)

// Options are what the services of a daemon need.
type Options struct {
	Table  ipvsctl.Client                               // used by one goroutine at a time
	Former []ipvsctl.PrivateService                     // what the previous daemon may have left
	Save   func([]ipvsctl.PrivateService) error         // records services before they are in the table
	Taken  func(context.Context) func(mark uint32) bool // the marks of others; called to choose a mark
	Knock  func(wire.Via, netip.AddrPort) error         // sends one packet on a path: wire.Knock
	Config string                                       // the configuration, as a word of a shell
	// Diverts names the rules that may send packets with a mark elsewhere.
	Diverts func(ctx context.Context, mark uint32, ipv6 bool) string
}

// Services are the private services of one daemon. While they are not started, checks go to the servers' own addresses.
type Services struct {
	on   atomic.Bool
	left atomic.Pointer[map[netip.Addr]bool] // virtual addresses whose virtual services are left to others
	line chan struct{}                       // held by the one goroutine that uses the table and the fields below

	Options
	all     map[ipvsctl.PrivateService]*service // the services by their keys, without their marks
	taken   func(mark uint32) bool
	used    map[uint32]bool        // further marks that are not free
	next    map[lvs.Forward]uint32 // from which on a mark may be free, until the next Set
	virtual map[netip.Addr]bool    // the addresses that clients send to
	saved   bool                   // all services in all are recorded
	machine
}

// service is a private service, in the table or not yet.
type service struct {
	ipvsctl.PrivateService
	ours   bool // the service with its mark in the table is ours
	*entry      // a new one each time that the service is made; nil before
}

// entry is a service in the table.
type entry struct {
	present     atomic.Bool // false once it may not be there
	connections uint32      // connections that the kernel remembers, as last read
	packets     uint64      // all packets that arrived, as last summed up
	moved       time.Time   // when more of them were found than before
	of          *passage    // the path of the last check
	shared      bool        // several checks use it
	restored    bool        // it was lost before, and no check failed since
}

// passage is how a check reaches its server, by a service in its state when the check began.
type passage struct {
	service
	via    wire.Via
	port   uint16
	looked time.Time // when the source was found, and that packets come to the service
	before Kernel    // at the end of the previous check, if that failed
	stray  error     // why they don't; nil when they do
	seen   time.Time // when that was found
	sure   bool      // this was found twice
}

// lose notes that a service may not be in the table.
func (sv *service) lose() {
	if sv.entry != nil {
		sv.present.Store(false)
	}
}

// isPresent reports whether a service is in the table as far as known.
func (sv *service) isPresent() bool { return sv.entry != nil && sv.present.Load() }

// New returns services that are not started.
func New() *Services {
	return &Services{
		line:    make(chan struct{}, 1),
		all:     map[ipvsctl.PrivateService]*service{},
		used:    map[uint32]bool{},
		next:    map[lvs.Forward]uint32{},
		virtual: map[netip.Addr]bool{},
		saved:   true,
	}
}

// Start makes checks go through private services from now on. It changes nothing in the table.
func (s *Services) Start(o Options) {
	s.Options = o
	for _, p := range o.Former {
		name := p
		name.Key.Mark = 0
		s.all[name], s.used[p.Key.Mark] = &service{PrivateService: p, ours: true}, true
	}
	s.on.Store(true)
}

// Leave has checks through these virtual addresses go to the servers' own: another daemon has their virtual services.
func (s *Services) Leave(virtual map[netip.Addr]bool) { s.left.Store(&virtual) }

// wanted is the service for a path, without its mark.
func wanted(w checker.Through) ipvsctl.PrivateService {
	d := lvs.Dest{Addr: netip.AddrPortFrom(w.Server, 0), Forward: w.Forward, Weight: 1}
	return ipvsctl.PrivateService{Key: lvs.Key{IPv6: w.Virtual.Is6()}, Dest: d}
}

// with lets f use the table, and the facts about it.
func (s *Services) with(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	waiting, cancel := context.WithTimeoutCause(ctx, lineTimeout, errSilent)
	defer cancel()
	select {
	case s.line <- struct{}{}:
		defer func() { <-s.line }()
		ctx, cancel := context.WithTimeoutCause(ctx, limit, errSilent)
		defer cancel()
		return f(ctx)
	case <-waiting.Done():
		return context.Cause(waiting)
	}
}

// Set chooses and records the marks for these paths, and removes all other services: a check that still uses one is
// void. The keys are the virtual services of the configuration. The checks, or the next Set, try a failed service
// again.
func (s *Services) Set(ctx context.Context, ways []checker.Through, keys []lvs.Key) {
	if s.Table == nil {
		return
	}
	_ = s.with(ctx, setTimeout, func(ctx context.Context) error {
		for _, k := range keys {
			s.used[k.Mark], s.virtual[k.Addr.Addr()] = true, true
		}
		s.taken = s.Taken(ctx)
		clear(s.next)
		stay := map[ipvsctl.PrivateService]bool{}
		for _, w := range ways {
			name := wanted(w)
			s.virtual[w.Virtual], stay[name] = true, true
			if sv := (&service{PrivateService: name}); s.all[name] == nil && s.choose(sv) == nil {
				s.all[name] = sv
			}
		}
		err := s.save()
		for name, sv := range s.all {
			if !stay[name] && s.remove(ctx, sv) == nil {
				sv.lose()
				delete(s.all, name)
				delete(s.used, sv.Key.Mark)
				s.saved = false
			}
		}
		return cmp.Or(err, s.save())
	})
}

// Close removes all services within setTimeout. Checks that still run are void.
func (s *Services) Close(ctx context.Context) {
	s.on.Store(false)
	s.Set(ctx, nil, nil)
}

// choose gives a service the next mark that is free. Half of the marks are for tunnels: while connections last, the
// kernel keeps the route of a destination, and it must not be the route of the other method. Without a free mark
// nothing changes.
func (s *Services) choose(sv *service) error {
	mark, last := ipvsctl.FirstPrivate, ipvsctl.FirstPrivate+(ipvsctl.LastPrivate-ipvsctl.FirstPrivate)/2
	if sv.Dest.Forward == lvs.Tunnel {
		mark, last = last+1, ipvsctl.LastPrivate
	}
	for mark = max(mark, s.next[sv.Dest.Forward]); mark <= last && (s.used[mark] || s.taken(mark)); {
		mark++
	}
	if s.next[sv.Dest.Forward] = mark; mark > last {
		return errNoMark
	}
	sv.Key.Mark, sv.ours, s.used[mark], s.saved = mark, false, true, false
	return nil
}

// save records the services that may be in the table, if they are not recorded yet.
func (s *Services) save() error {
	if s.saved {
		return nil
	}
	var all []ipvsctl.PrivateService
	for _, sv := range s.all {
		all = append(all, sv.PrivateService)
	}
	err := s.Save(all)
	s.saved = err == nil
	return err
}

// ready makes the service of a path, unless it is in the table as far as known, and finds how a check reaches it.
func (s *Services) ready(ctx context.Context, w checker.Through, p *passage) error {
	return s.surely(ctx, p, func(ctx context.Context) error {
		sv := s.all[wanted(w)]
		if sv == nil {
			return errNoMark
		}
		err := s.save()
		for err == nil && !sv.isPresent() {
			err = s.make(ctx, sv)
		}
		p.service, p.via.To, p.via.Mark = *sv, w.Virtual, sv.Key.Mark
		if err == nil {
			err = s.locate(ctx, p, time.Now())
		}
		return err
	})
}

// make makes a service. If its mark now belongs to another program, it gets another mark.
func (s *Services) make(ctx context.Context, sv *service) error {
	err := s.Table.Do(ctx,
		ipvsctl.Op{Kind: ipvsctl.AddService, Key: sv.Key, Settings: ipvsctl.Private, New: true})[0]
	if errors.Is(err, syscall.EEXIST) {
		var free []bool
		if _, free, err = s.look(ctx, sv); err != nil {
			return err
		}
		if !sv.ours || !free[0] {
			return cmp.Or(s.choose(sv), s.save())
		}
	}
	if sv.ours = true; err == nil {
		err = s.Table.Do(ctx, ipvsctl.Op{Kind: ipvsctl.AddDest, Key: sv.Key, Dest: sv.Dest})[0]
	}
	if err == nil {
		sv.entry = &entry{restored: sv.entry != nil}
		sv.present.Store(true)
	}
	return err
}

// look reads services, with one request for each: whether they stayed in the table as they were made, and whether they
// have no destinations that this program did not add. Neither is known of services that could not be read.
func (s *Services) look(ctx context.Context, all ...*service) (stayed, free []bool, err error) {
	stayed, free = make([]bool, len(all)), make([]bool, len(all))
	keys := make([]lvs.Key, len(all))
	for i, sv := range all {
		keys[i] = sv.Key
	}
	table, err := s.Table.Services(ctx, keys...)
	for i, sv := range all {
		found, read := table[sv.Key]
		own, in := found.Dests.At(sv.Dest.Addr)
		if read && (len(found.Dests) != 1 || own != sv.Dest) {
			sv.lose()
		}
		stayed[i] = read && sv.isPresent()
		if c := found.Counters[sv.Dest.Addr]; stayed[i] {
			if sv.connections = c.Active + c.Inactive; sv.packets != c.Traffic.PacketsIn {
				sv.packets, sv.moved = c.Traffic.PacketsIn, time.Now()
			}
		}
		free[i] = read && (len(found.Dests) == 0 || in && len(found.Dests) == 1)
	}
	return stayed, free, err
}

// judge returns why an answer is void; "" if it counts.
func (s *Services) judge(ctx context.Context, p *passage, r checker.Result) (void string) {
	answered := time.Now()
	err := s.surely(ctx, p, func(ctx context.Context) error {
		stayed, _, err := s.look(ctx, &p.service)
		var k Kernel
		if !r.OK {
			p.looked = time.Time{}
			k = s.kernel(p.via.To, p.Dest.Addr.Addr(), answered)
		}
		// A service that was changed while the check ran does not show where its packets went.
		void = cmp.Or(Judge(r, stayed[0], p.via.To.Is6(), k), Judge(r, true, p.via.To.Is6(), p.before))
		p.before = k
		if void == "" && !r.OK && p.restored {
			// A connection from before may have left a route of another method: an edit ends that.
			p.restored, void = false, errLost.Error()
			edit := ipvsctl.Op{Kind: ipvsctl.AddDest, Key: p.Key, Dest: p.Dest}
			return cmp.Or(err, s.Table.Do(ctx, edit)[0])
		}
		if void == "" && (r.OK || r.Conclusive()) && p.isDoubted(answered) {
			err = s.knock(ctx, p)
		}
		return err
	})
	if err != nil {
		return err.Error()
	}
	return void
}

// remove removes a service that is ours.
func (s *Services) remove(ctx context.Context, sv *service) error {
	_, free, err := s.look(ctx, sv)
	if err == nil && sv.ours && free[0] {
		err = s.Table.Do(ctx, ipvsctl.Op{Kind: ipvsctl.DelService, Key: sv.Key})[0]
	}
	return err
}

// isDoubted reports whether packets may fail to reach the service: none came recently, or only those of other checks.
func (p *passage) isDoubted(now time.Time) bool {
	return p.looked.IsZero() || now.Sub(p.moved) > summedUp || p.shared && now.Sub(p.looked) > eachRenewed
}

// surely does f with the table. If f finds for the first time that packets don't reach the service, surely does f once
// more, a moment later: another connection may have ended meanwhile, or this one was not counted in time.
func (s *Services) surely(ctx context.Context, p *passage, f func(context.Context) error) error {
	err := s.with(ctx, checkTimeout, f)
	if err != nil && err == p.stray && !p.sure && run.Pause(ctx, countedBy) {
		err = s.with(ctx, checkTimeout, f)
	}
	return err
}

// knock returns why packets of a check don't reach its service; nil if they do: each that begins a connection is
// remembered there at once. A rule of the firewall may change their marks.
func (s *Services) knock(ctx context.Context, p *passage) error {
	ago := time.Since(p.seen)
	if p.sure && ago < wayRenewed {
		return p.stray
	}
	sure := p.stray != nil && ago >= countedBy
	p.sure, p.stray = false, nil
	_, _, unread := s.look(ctx, &p.service)
	before := p.connections
	if err := s.Knock(p.via, netip.AddrPortFrom(p.via.To, p.port)); err != nil {
		return fmt.Errorf("no packet can be sent there: %w", err)
	}
	stayed, _, err := s.look(ctx, &p.service)
	switch err = cmp.Or(unread, err); {
	case err != nil:
		return err
	case !stayed[0]:
		return errLost
	case p.connections > before:
		p.moved = time.Now()
		return nil
	}
	p.stray = fmt.Errorf("%s: %s", wire.Astray, s.Diverts(ctx, p.Key.Mark, p.Key.IPv6))
	p.seen, p.sure = time.Now(), sure
	return p.stray
}

// locate finds the source address of a check, and the segments that fit there. It also tests whether the packets reach
// the service, unless that was done recently.
func (s *Services) locate(ctx context.Context, p *passage, now time.Time) error {
	p.shared = p.shared || p.of != nil && p.of != p
	p.of = p
	doubted := p.isDoubted(now)
	if !doubted && now.Sub(p.looked) < wayRenewed {
		return nil
	}
	server := p.Dest.Addr.Addr()
	source, device, err := towards(server)
	if err == nil && s.virtual[source] {
		err = fmt.Errorf("the only address of this machine towards %v is the virtual address %v", server,
			source)
	}
	if err != nil {
		return err
	}
	mtu := cmp.Or(s.at(now.Add(-wayRenewed)).byIndex[device].MTU, 1500)
	p.via.Source, p.via.MSS = source, min(mtu, 1500)-100
	if doubted {
		err = s.knock(ctx, p)
	}
	if err == nil {
		p.looked = now
	}
	return err
}
