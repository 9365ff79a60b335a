package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/core"
	"ldirectord/internal/lvs"
	"ldirectord/internal/orders"
	"ldirectord/internal/plan"
	"ldirectord/internal/view"
	"ldirectord/internal/whatif"
)

// supposing contains the options of plan for a supposed failure.
type supposing struct {
	Down            []string
	Drain           []string
	WithoutDirector bool
	Each            bool
	Running         bool
}

func (s *supposing) any() bool { return len(s.Down)+len(s.Drain) > 0 || s.WithoutDirector || s.Each }

// loss describes what remains of a virtual service after a failure.
type loss struct {
	ID       string `json:"id"`
	Left     int    `json:"serving"`
	Required int    `json:"required"`
	By       string `json:"by,omitempty"`       // the directive that requires this many
	Fallback string `json:"fallback,omitempty"` // the fallback server, if it serves
	// what status reports about the virtual service and did not report before
	Notices []string `json:"notices,omitempty"`
}

func (l loss) String() string {
	text := fmt.Sprintf("%s: %s in service", l.ID, view.Plural(l.Left, "passing server"))
	if l.By != "" {
		text += fmt.Sprintf(", %s requires %d", l.By, l.Required)
	}
	if l.Fallback != "" {
		text += "; the fallback " + l.Fallback + " serves"
	}
	return strings.Join(append([]string{text}, l.Notices...), "; ")
}

// suppose shows how the table, the virtual services and the announced addresses would change if servers failed or were
// drained, or if this director stopped.
func suppose(c *call, given orders.All) error {
	is, err := present(c, given)
	if err != nil {
		return err
	}
	if c.Each {
		return eachLoss(c, is)
	}
	known := core.SnapshotOf(c.Plan, time.Now())
	down, err := meantBy(c, known, c.Down)
	if err != nil {
		return err
	}
	drained, err := meantBy(c, known, c.Drain)
	if err != nil {
		return err
	}
	services := c.Plan.Services
	if !c.WithoutDirector {
		services = touched(c.Plan, slices.Concat(down, drained))
	}
	w := is.played(c.Plan, services, whatif.Calm)
	before, was := w.Table(), w.Snapshot()
	w.Fail(down)
	all := maps.Clone(is.orders)
	for _, at := range drained {
		all[at] = orders.Order{Kind: orders.Drain}
	}
	w.Order(all, nil)
	if c.WithoutDirector {
		w.End()
	}
	now, after := w.Snapshot(), w.Table()
	leaves := func(k lvs.Key) bool { return after[k].Key != k }
	changes := c.planned(slices.Concat(lvs.Diff(before, after), removals(before, leaves)), nil)
	for i := range changes {
		changes[i].When = "" // the changes are hypothetical
	}
	losses, addresses := lossesOf(was, now), moves(was, now)
	if c.WithoutDirector {
		losses = []loss{} // another director may serve
	}
	wouldChange := showChanges(c, changes)
	if c.answer != nil {
		c.answer["services"], c.answer["addresses"] = losses, addresses
		return wouldChange
	}
	for _, l := range losses {
		c.note("%s", l)
	}
	for _, text := range addresses {
		c.note("%s", text)
	}
	return wouldChange
}

// situation is the state before the supposed failure.
type situation struct {
	failed, fallbacks []lvs.Backend // the real servers and the fallback servers that are down
	waiting           []lvs.Backend // the real servers that pass and wait to come back
	orders            orders.All
}

// played returns a simulation of these services of a plan, in this situation.
func (is *situation) played(p *plan.Plan, services []*plan.Service, calm time.Duration) *whatif.World {
	w := whatif.New(p, services, is.orders.Guarded(), calm) // an order to obey would end while every server is up
	w.BreakFallbacks(is.fallbacks)
	if len(is.waiting) > 0 {
		w.Wait(is.waiting)
	}
	w.Fail(is.failed)
	w.Order(is.orders, nil)
	return w
}

// present returns the present situation. With --running, it contains the servers that are out of service according to
// the running daemon. Otherwise, only orders take servers out.
func present(c *call, given orders.All) (*situation, error) {
	is := &situation{orders: maps.Clone(given)}
	if !c.Running {
		is.orders = given.Guarded()
		if c.found().State.Pid != 0 {
			c.note("every server of the file is assumed to be up; --running asks the daemon which are up")
		}
		return is, nil
	}
	if err := c.lacksDaemon(unknownStates); err != nil {
		return nil, err
	}
	report, err := c.report()
	if err != nil {
		return nil, err
	}
	for _, v := range report.Virtuals {
		for i := range v.Servers {
			s := &v.Servers[i]
			at, kind := lvs.At(v.ID, s.Real), outBy(s)
			switch {
			case s.State == "down", s.State == "unknown", s.Held: // the simulation holds a held server, too
				is.failed = append(is.failed, at)
			case s.WaitsFor != "":
				is.waiting = append(is.waiting, at)
			case kind != "" && !is.orders[at].TakesOut():
				is.orders[at] = orders.Order{Kind: kind}
			}
		}
		for _, f := range (*view.Virtual)(&v).Fallbacks() {
			if f.State == "down" || f.State == "unknown" {
				is.fallbacks = append(is.fallbacks, lvs.At(v.ID, f.Server))
			}
		}
	}
	return is, nil
}

// outBy returns the order with the same effect as the maintenance file, the server's own report or the change by hand
// that takes a server out of service. It returns "" for other servers.
func outBy(s *view.Server) orders.Kind {
	byHand := s.ByHand && (s.TableWeight == nil || *s.TableWeight == 0)
	switch {
	case s.State == "maintenance":
		return orders.Maint
	case s.State == "drained", s.State == "up" && byHand:
		return orders.Drain
	}
	return ""
}

// meantBy returns the servers that these words name.
func meantBy(c *call, now *view.Snapshot, words []string) (all []lvs.Backend, err error) {
	for _, word := range words {
		found := now.Backends("", word)
		if len(found) == 0 {
			return nil, fmt.Errorf("%s has no real server %s", c.path, word)
		}
		all = append(all, found...)
	}
	return all, nil
}

// having returns the virtual services that have one of these servers. If announcing is set, it adds all virtual
// services that announce addresses.
func having(p *plan.Plan, servers []lvs.Backend, announcing bool) (list []*plan.Service) {
	ids := map[string]bool{}
	for _, at := range servers {
		ids[at.Virtual] = true
	}
	for _, s := range p.Services {
		if ids[s.Config.ID] || announcing && s.Section.Announce {
			list = append(list, s)
		}
	}
	return list
}

// touched returns the virtual services that have one of these servers. If one of them announces an address, it adds all
// services that do, because an announced address depends on all of them.
func touched(p *plan.Plan, servers []lvs.Backend) []*plan.Service {
	list := having(p, servers, false)
	if slices.ContainsFunc(list, func(s *plan.Service) bool { return s.Section.Announce }) {
		list = having(p, servers, true)
	}
	return list
}

// lossesOf returns the virtual services that have a different number of servers in service, or for which status reports
// something new.
func lossesOf(before, now *view.Snapshot) []loss {
	list := []loss{}
	for i := range now.Virtuals {
		was, v := &before.Virtuals[i], &now.Virtuals[i]
		l := loss{ID: v.ID}
		l.Left, l.Required, l.By = v.Lack()
		if f := v.ServingFallback(); f != nil {
			l.Fallback = f.Server
		}
		for _, one := range v.Conditions {
			if !slices.Contains(was.Conditions, one) {
				l.Notices = append(l.Notices, one.Text)
			}
		}
		if left, _, _ := was.Lack(); left != l.Left || len(l.Notices) > 0 {
			list = append(list, l)
		}
	}
	return list
}

// moves describes the announced addresses whose state has changed.
func moves(before, now *view.Snapshot) []string {
	list := []string{}
	for i, one := range now.Announcements {
		if was := before.Announcements[i]; was.State != one.State {
			list = append(list, one.Address+": "+one.State+view.After(": ", one.Why))
		}
	}
	return list
}

// eachCalm is the time that the simulation lets pass after a failure. A minute is enough, because a server that fails
// alone is taken out without waiting for its turn.
const eachCalm = time.Minute

// short returns those results of lossesOf that have too few servers.
func short(before, now *view.Snapshot) []loss {
	return slices.DeleteFunc(lossesOf(before, now), func(l loss) bool { return l.Left >= l.Required })
}

// eachLoss shows each address, name and tag whose loss leaves a virtual service with too few servers. All real servers
// that share it fail together. Virtual services that already have too few servers are listed first. A further loss may
// change nothing for them, so they would not be listed otherwise.
func eachLoss(c *call, is *situation) error {
	planned := whatif.New(c.Plan, c.Plan.Services, nil, eachCalm)
	already := short(planned.Snapshot(), is.played(c.Plan, c.Plan.Services, eachCalm).Snapshot())
	units := unitsOf(c.Plan)
	type lost struct {
		Without  string `json:"without"`
		Services []loss `json:"services"`
	}
	all := []lost{}
	for _, name := range slices.Sorted(maps.Keys(units)) {
		if c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		of := having(c.Plan, units[name], false) // losses do not depend on announced addresses
		w := is.played(c.Plan, of, eachCalm)
		was := w.Snapshot()
		w.Fail(units[name])
		if losses := short(was, w.Snapshot()); len(losses) > 0 {
			all = append(all, lost{name, losses})
		}
	}
	isShort := len(all)+len(already) > 0
	switch {
	case c.answer != nil:
		c.answer["losses"], c.answer["short"] = all, already
	case isShort:
		for _, l := range already {
			c.tell("now: %s", l)
		}
		for _, one := range all {
			for _, l := range one.Services {
				c.tell("without %s: %s", one.Without, l)
			}
		}
	default:
		c.tell("# every virtual service keeps enough servers, whichever of the %d is lost", len(units))
	}
	if isShort {
		return exit{status: exitChanges}
	}
	return nil
}

// unitsOf returns the groups of servers that can fail together because they share an address, a name or a tag.
func unitsOf(p *plan.Plan) map[string][]lvs.Backend {
	units, named := map[string][]lvs.Backend{}, map[string][]lvs.Backend{}
	hosts := map[string]map[netip.Addr]bool{}
	for _, s := range p.Services {
		for _, e := range s.Reals() {
			at, addr := lvs.At(s.Config.ID, e.Name()), e.Real.Addr.Addr()
			units[addr.String()] = append(units[addr.String()], at)
			for _, tag := range e.Real.Tags.List() {
				units[lvs.Tagged+tag] = append(units[lvs.Tagged+tag], at)
			}
			if n := e.Real.Named; n != nil {
				if hosts[n.Host] == nil {
					hosts[n.Host] = map[netip.Addr]bool{}
				}
				hosts[n.Host][addr] = true
				named[n.Host] = append(named[n.Host], at)
			}
		}
	}
	for host, addrs := range hosts {
		if len(addrs) > 1 {
			units[host] = named[host]
		}
	}
	return units
}
