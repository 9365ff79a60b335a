// Package viavip checks real servers the way clients reach them: through a virtual address and IPVS. Each
// server has a private IPVS service, which forwards to that server alone. The mark on a check's socket selects the
// service.
package viavip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
	"ldirectord/ipvsctl"
)

const (
	lineTimeout  = 10 * time.Second // the wait for a turn: a thousand first checks may begin at once
	checkTimeout = 2 * time.Second  // how long a check waits for the table
	setTimeout   = 5 * time.Second  // how long a reload waits for the table
	wayRenewed   = time.Minute      // after this time the path of a check is tested again; after a failure at once
	eachRenewed  = 20 * time.Second // the same if several checks use one service
	summedUp     = 5 * time.Second  // the kernel adds up its counters every 2 s; a check may come just before that
)

const (
	countedBy = 100 * time.Millisecond // the pause before the last of maxTries connections
	maxTries  = 24                     // connections to try until one is counted: most ports may lead elsewhere
	fewTries  = 2                      // the same while ports are scarce, because each connection takes one
	turnLimit = overtime / 2           // the wait before a further connection, within the timeout of its check
	lateLimit = overtime / 4           // after a longer wait for the table a timeout proves nothing
	firstUser = uint16(1024)           // the first port that is not reserved
)

// Astray is the beginning of the error for a path whose packets don't reach the private service.
const Astray = "packets with its mark don't reach its private service"

var (
	errSilent = errors.New("the table does not answer")
	errLost   = errors.New("the private service was lost")
	errStray  = errors.New("the connection leads elsewhere")
	errScarce = errors.New("source ports are scarce, because this address and port are checked too often")
)

var errNoMark = fmt.Errorf(
	"the server has no private service: other programs use all marks from %#x to %#x (ip rule), or the "+
		"virtual service was removed from the configuration",
	ipvsctl.FirstPrivate, ipvsctl.LastPrivate)

// Options are what the services of a daemon need.
type Options struct {
	Table  ipvsctl.Client                               // used by one goroutine at a time
	Former []ipvsctl.PrivateService                     // what the previous daemon may have left
	Save   func([]ipvsctl.PrivateService) error         // records services before they are in the table
	Taken  func(context.Context) func(mark uint32) bool // whether others use a mark; called by Set
	Config string                                       // the configuration file, quoted for a shell
	// Diverts names a rule that may send packets with a mark elsewhere; "" for none.
	Diverts func(ctx context.Context, mark uint32, ipv6 bool) (rule string, sure bool)
}

// Services are the private services of one daemon. Until Start is called, checks go to the servers' own addresses.
type Services struct {
	on   atomic.Bool
	left atomic.Pointer[map[netip.Addr]bool] // virtual addresses whose virtual services are left to others
	line chan struct{}                       // held by the one goroutine that uses the table and the fields below

	ports wire.Ports
	knock func(netip.AddrPort, wire.Via) error // wire.Knock

	Options
	all     map[ipvsctl.PrivateService]*service // each service, by its PrivateService with mark 0
	taken   func(mark uint32) bool
	used    map[uint32]bool        // marks that are not free, in addition to those that taken reports
	next    map[lvs.Forward]uint32 // the lowest mark that may be free, until the next Set
	virtual map[netip.Addr]bool    // the addresses that clients send to
	saved   bool                   // every service in all is recorded
	machine
}

// service is a private service, which is not necessarily in the table yet.
type service struct {
	ipvsctl.PrivateService
	ours   bool // the service that has this mark in the table is ours
	*entry      // a new one each time that the service is made; nil before
}

// entry holds what is known about a service in the table.
type entry struct {
	present     atomic.Bool // false once it may not be there
	connections uint32      // connections that the kernel remembers, as last read
	packets     uint64      // all packets that arrived, as last summed up
	moved       time.Time   // when new packets or a new connection were last found
	of          *passage    // the path of the last check
	shared      bool        // several checks use it
	restored    bool        // it was lost before, and no check failed since
}

// passage is how a check reaches its server: the path, and the service with its state when the check began.
type passage struct {
	service
	via    wire.Via
	looked time.Time // when the source was found; zero: packets may not reach the service
	before Kernel    // at the end of the previous check, if that failed
	stray  error     // why no connection was counted; nil once one was
	seen   time.Time // when stray was found
	// the service counted the connections of the last check
	counted bool
	crowded bool // the first connection was not counted, but a later one was: the kernel remembers many ports
}

// lose notes that a service may no longer be in the table.
func (sv *service) lose() {
	if sv.entry != nil {
		sv.present.Store(false)
	}
}

// isPresent reports whether a service is known to be in the table.
func (sv *service) isPresent() bool { return sv.entry != nil && sv.present.Load() }

// New returns services that are not started.
func New() *Services {
	return &Services{
		line:  make(chan struct{}, 1),
		knock: wire.Knock,
		all:   map[ipvsctl.PrivateService]*service{},
		used:  map[uint32]bool{},
		next:  map[lvs.Forward]uint32{},
		saved: true,
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

// Leave makes checks through these virtual addresses go to the servers' own addresses, because another daemon has the
// virtual services.
func (s *Services) Leave(virtual map[netip.Addr]bool) { s.left.Store(&virtual) }

// wanted returns the service for a path, without the service's mark.
func wanted(w checker.Through) ipvsctl.PrivateService {
	d := lvs.Dest{Addr: netip.AddrPortFrom(w.Server, 0), Forward: w.Forward, Weight: 1}
	return ipvsctl.PrivateService{Key: lvs.Key{IPv6: w.Virtual.Is6()}, Dest: d}
}

// turn is the right of one goroutine to use the table and the fields that describe it.
type turn struct {
	*Services
	ctx context.Context // the limit of the turn
}

// do makes a change to the table.
func (t turn) do(op lvs.Op) error { return t.Table.Do(t.ctx, op)[0] }

// with waits for a turn, at most for lineTimeout, and passes it to f. The turn's context ends after limit.
func (s *Services) with(ctx context.Context, limit time.Duration, f func(turn) error) error {
	waiting, cancel := context.WithTimeoutCause(ctx, lineTimeout, errSilent)
	defer cancel()
	select {
	case s.line <- struct{}{}:
		defer func() { <-s.line }()
		ctx, cancel := context.WithTimeoutCause(ctx, limit, errSilent)
		defer cancel()
		return f(turn{s, ctx})
	case <-waiting.Done():
		return context.Cause(waiting)
	}
}

// Set chooses and records the marks for these paths, and removes all other services. A check that still uses a removed
// service is void. The keys are the virtual services of the configuration. The checks add their services to the table.
// If no mark is free for a service, its checks are void until a later Set finds one. If a service can't be removed, the
// next Set tries again.
func (s *Services) Set(ctx context.Context, ways []checker.Through, keys []lvs.Key) {
	if s.Table == nil {
		return
	}
	_ = s.with(ctx, setTimeout, func(t turn) error {
		s.virtual = map[netip.Addr]bool{} // an address that left the file may become one of this machine
		for _, k := range keys {
			s.used[k.Mark], s.virtual[k.Addr.Addr()] = true, true
		}
		s.taken = s.Taken(t.ctx)
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
			if !stay[name] && t.remove(sv) == nil {
				sv.lose()
				delete(s.all, name)
				delete(s.used, sv.Key.Mark)
				s.saved = false
			}
		}
		return cmp.Or(err, s.save())
	})
}

// Close removes all services. It takes at most lineTimeout plus setTimeout. Checks that still run are void.
func (s *Services) Close(ctx context.Context) {
	s.on.Store(false)
	s.Set(ctx, nil, nil)
}

// choose gives a service the next free mark. While connections last, the kernel keeps the route that a mark has to a
// destination. Half of the marks are for tunnels, because they need another route than the other forwarding methods. If
// no mark is free, the service does not change.
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

// ready makes the service of a path if it is not known to be in the table, and finds out how a check reaches it.
// doubted reports whether packets may fail to reach the service.
func (s *Services) ready(ctx context.Context, w checker.Through, p *passage) (doubted bool, err error) {
	err = s.with(ctx, checkTimeout, func(t turn) error {
		sv := s.all[wanted(w)]
		if sv == nil {
			return errNoMark
		}
		err := s.save()
		for err == nil && !sv.isPresent() {
			err = t.make(sv)
		}
		p.service, p.via.To, p.via.Mark, p.via.Ports = *sv, w.Virtual, sv.Key.Mark, &s.ports
		if err == nil {
			doubted, err = s.locate(p, time.Now())
		}
		return err
	})
	return doubted, err
}

// make adds a service to the table. If the service's mark now belongs to another program, the service gets another
// mark.
func (t turn) make(sv *service) error {
	err := t.do(lvs.Op{Kind: lvs.AddService, Key: sv.Key, Settings: ipvsctl.Private, New: true})
	if errors.Is(err, syscall.EEXIST) {
		var seen []sight
		if seen, err = t.look(sv); err != nil {
			return err
		}
		if !sv.ours || !seen[0].free {
			return cmp.Or(t.choose(sv), t.save())
		}
	}
	if sv.ours = true; err == nil {
		err = t.do(lvs.Op{Kind: lvs.AddDest, Key: sv.Key, Dest: sv.Dest})
	}
	if err == nil {
		sv.entry = &entry{restored: sv.entry != nil}
		sv.present.Store(true)
	}
	return err
}

// sight is what a look shows of a service. Both fields are false if the service could not be read.
type sight struct {
	stayed bool // it stayed in the table as it was made
	free   bool // it has no destinations other than the one that this program adds
}

// look reads services, with one request for each, and updates what is known about them.
func (t turn) look(all ...*service) ([]sight, error) {
	seen, keys := make([]sight, len(all)), make([]lvs.Key, len(all))
	for i, sv := range all {
		keys[i] = sv.Key
	}
	table, err := t.Table.Services(t.ctx, keys...)
	for i, sv := range all {
		found, read := table[sv.Key]
		if !read {
			continue
		}
		own, in := found.Dests.At(sv.Dest.Addr)
		if len(found.Dests) != 1 || own != sv.Dest {
			sv.lose()
		}
		seen[i] = sight{stayed: sv.isPresent(), free: len(found.Dests) == 0 || in && len(found.Dests) == 1}
		if c := found.Counters[sv.Dest.Addr]; seen[i].stayed {
			if sv.connections = c.Active + c.Inactive; sv.packets != c.Traffic.PacketsIn {
				sv.packets, sv.moved = c.Traffic.PacketsIn, time.Now()
			}
		}
	}
	return seen, err
}

// judge returns the reason why an answer is void; "" if it counts.
func (s *Services) judge(ctx context.Context, p *passage, r checker.Result) (void string) {
	answered := time.Now()
	err := s.with(ctx, checkTimeout, func(t turn) error {
		seen, err := t.look(&p.service)
		var k Kernel
		if !r.OK {
			k = s.kernel(p.via.To, p.Dest.Addr.Addr(), answered)
		}
		if !r.OK || p.isDoubted(answered) {
			p.looked = time.Time{}
		}
		// A service that was changed while the check ran does not show where its packets went.
		void = cmp.Or(Judge(r, seen[0].stayed, p.via.To.Is6(), k), Judge(r, true, p.via.To.Is6(), p.before))
		p.before = k
		if void == "" && !r.OK && p.restored {
			// The kernel may still use the route of an earlier entry with another forwarding method.
			// Adding the entry again edits it, which ends that.
			p.restored, void = false, errLost.Error()
			return cmp.Or(err, t.do(lvs.Op{Kind: lvs.AddDest, Key: p.Key, Dest: p.Dest}))
		}
		return err
	})
	if err != nil {
		void = voidBy(err)
	}
	if void != "" {
		p.looked = time.Time{}
	}
	return void
}

// voidBy returns the reason why an error makes an answer void. If the table did not answer, the reason omits what was
// being done.
func voidBy(err error) string {
	if errors.Is(err, errSilent) {
		err = errSilent
	}
	return err.Error()
}

// remove removes a service if it is ours.
func (t turn) remove(sv *service) error {
	seen, err := t.look(sv)
	if err == nil && sv.ours && seen[0].free {
		err = t.do(lvs.Op{Kind: lvs.DelService, Key: sv.Key})
	}
	return err
}

// surely makes a check over connections that its service counts. Other connections prove nothing about the server. The
// kernel may remember a connection of another check or program from the same port, and a firewall rule may change
// marks.
func (s *Services) surely(ctx context.Context, p *passage, limit time.Duration, c checker.Checker) (r checker.Result,
	err error) {
	stray, tries := p.stray, maxTries
	switch {
	case stray == nil || time.Since(p.seen) >= wayRenewed:
		stray = nil
	case stray != errScarce:
		return r, stray
	default:
		tries = fewTries
	}
	for try := 1; try <= tries && (try < maxTries || runfile.Pause(ctx, countedBy)); try++ {
		n := &counting{Services: s, ctx: ctx, p: p, left: make(chan struct{}), first: make(chan func() error),
			judged: make(chan error)}
		if r, err = n.check(limit, c); err != errStray {
			p.stray, p.crowded = nil, try > 1
			return r, err
		}
	}
	if stray != nil {
		return r, stray
	}
	return r, s.with(ctx, checkTimeout, func(t turn) error {
		p.stray, p.seen = t.strays(p), time.Now()
		return p.stray
	})
}

// strays finds out why no connection of a check is counted. If no rule is sure to divert them, their source ports may
// be the reason. To find out, it makes a connection to another destination port, for which the kernel remembers no
// source port. If a rule is sure to divert them, it makes none: a rule that is only for the port of the check would not
// divert that connection.
func (t turn) strays(p *passage) error {
	rule, sure := t.Diverts(t.ctx, p.Key.Mark, p.Key.IPv6)
	n := &counting{Services: t.Services, p: p}
	other := netip.AddrPortFrom(p.via.To, firstUser+rand.N(^firstUser))
	if !sure && n.count(t, func() error { return t.knock(other, p.via) }) == nil {
		return errScarce
	}
	return fmt.Errorf("%s: %s", Astray,
		cmp.Or(rule, "no rule was found that would do that (iptables, nft, ip rule)"))
}

// counting tests whether the kernel counts the connections of a check.
type counting struct {
	*Services
	ctx    context.Context
	p      *passage
	first  chan func() error // begins the first connection
	judged chan error        // its result
	left   chan struct{}     // closed when the check no longer has its turn at the table
	err    error             // why a connection proves nothing
	waited time.Duration     // the longest wait of a connection for the table, within the timeout of its check
}

// check begins a check in a turn, and returns its result. The check's first connection is counted in that turn, so that
// the check's timeout is not spent on waiting for another turn.
func (n *counting) check(limit time.Duration, c checker.Checker) (checker.Result, error) {
	ended := make(chan checker.Result, 1)
	err := n.with(n.ctx, checkTimeout, func(t turn) error {
		defer close(n.left)
		via := n.p.via
		via.Start = n.start
		go func() {
			limited, cancel := context.WithTimeout(n.ctx, limit)
			defer cancel()
			ended <- c.Check(wire.WithVia(limited, via))
		}()
		select {
		case send := <-n.first:
			n.judged <- n.count(t, send)
		case r := <-ended:
			ended <- r
		case <-t.ctx.Done():
		}
		return nil
	})
	if err != nil {
		return checker.Result{}, err
	}
	r := <-ended
	if n.err == nil && r.Cause == checker.Timeout && n.waited > lateLimit {
		n.err = errSilent
	}
	return r, n.err
}

// start sends the first packet of a connection: in the turn of check or, once that has ended, in a turn of its own.
func (n *counting) start(send func() error) error {
	began := time.Now()
	defer func() { n.waited = max(n.waited, time.Since(began)) }()
	select {
	case n.first <- send:
		return <-n.judged
	case <-n.left:
		n.err = errSilent
		soon, cancel := context.WithTimeoutCause(n.ctx, turnLimit, errSilent)
		defer cancel()
		return n.with(soon, turnLimit, func(t turn) error { return n.count(t, send) })
	}
}

// count sends the first packet of a connection, and tests whether the service counted the connection.
func (n *counting) count(t turn, send func() error) error {
	n.err = nil
	_, unread := t.look(&n.p.service)
	before := n.p.connections
	if err := send(); err != nil {
		return err
	}
	seen, err := t.look(&n.p.service)
	switch n.err = cmp.Or(unread, err); {
	case n.err != nil:
	case !seen[0].stayed:
		n.err = errLost
	case n.p.connections <= before:
		n.err = errStray
	default:
		n.p.moved = time.Now()
	}
	return n.err
}

// locate finds the source address of a check, and a TCP segment size that fits the path. doubted reports whether
// packets may fail to reach the service.
func (s *Services) locate(p *passage, now time.Time) (doubted bool, err error) {
	p.shared = p.shared || p.of != nil && p.of != p
	p.of = p
	doubted = p.isDoubted(now)
	if !doubted && now.Sub(p.looked) < wayRenewed {
		return false, nil
	}
	server := p.Dest.Addr.Addr()
	route, err := towards(server)
	source, _ := netip.AddrFromSlice(route.Src)
	if source = source.Unmap(); err == nil && s.virtual[source] {
		err = fmt.Errorf("this machine sends to %v from the virtual address %v", server, source)
	}
	if err != nil {
		return false, err
	}
	mtu := cmp.Or(s.at(now.Add(-wayRenewed)).byIndex[route.LinkIndex].MTU, 1500)
	p.via.Source, p.via.MSS = source, min(mtu, 1500)-100
	p.looked = now
	return doubted, nil
}

// isDoubted reports whether packets may fail to reach the service: the path is unknown or failed, no packets came
// recently, or those that came may belong to other checks.
func (p *passage) isDoubted(now time.Time) bool {
	return p.looked.IsZero() || now.Sub(p.moved) > summedUp || p.shared && now.Sub(p.looked) > eachRenewed
}
