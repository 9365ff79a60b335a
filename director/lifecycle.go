package director

import (
	"context"
	"fmt"
	"slices"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/notify"
	"ldirectord/parser"
)

// begin takes the plan over onto the table as it is found: servers that are in with a weight are up
// until their checks say otherwise, what is not configured in our virtual services is purged.
func (d *Director) begin(ctx context.Context, p *Plan, have ipvsctl.Table) {
	d.status = notify.StatusStarting
	for _, v := range p.virtuals {
		v.tag = "start"
		found, there := have[v.key]
		if !there {
			continue
		}
		for _, s := range v.servers {
			if dest, in := found.Dests[s.dest.Addr]; in && dest.Weight > 0 {
				s.health = checker.Assume(checker.Up)
			}
		}
	}
	d.install(ctx, p)
	for _, v := range d.virtuals {
		found, there := have[v.key]
		v.dirty = true
		d.bring(ctx, v, found, there)
	}
	for _, key := range d.deps.Former {
		if _, there := have[key]; there && !slices.Contains(p.Keys(), key) {
			d.purge(ctx, key, "start")
		}
	}
}

// reload makes another plan the one to keep. The health of every server whose check stays the same
// goes on; one whose check changed keeps its place until the first result of the new one.
func (d *Director) reload(ctx context.Context, p *Plan) {
	d.status = notify.StatusReloading
	p.adopt(d.checks)
	old := d.virtuals
	before := map[ipvsctl.Key]*virtual{}
	for _, v := range old {
		before[v.key] = v
	}
	for _, v := range p.virtuals {
		v.tag, v.dirty = "start", true
		if was := before[v.key]; was != nil {
			v.inherit(was)
			delete(before, v.key)
		}
		for _, s := range v.servers {
			if c := d.checks[s.task]; c != nil && c.known && s.health.State == checker.Unknown {
				s.health, _ = s.health.Next(c.last.OK, s.rule)
				s.reason = c.last.Detail
			}
		}
	}
	d.install(ctx, p)
	for _, v := range old {
		if before[v.key] == v {
			d.purge(ctx, v.key, "start")
		}
	}
}

// adopt makes the plan go on with the checks that run already.
func (p *Plan) adopt(checks map[*checker.Task]*check) {
	running := make(map[checker.Job]*checker.Task, len(checks))
	for t := range checks {
		running[t.Job] = t
	}
	for i, t := range p.tasks {
		if r := running[t.Job]; r != nil {
			p.tasks[i] = r
		}
	}
	for _, v := range p.virtuals {
		for _, s := range v.servers {
			if s.task != nil && running[s.task.Job] != nil {
				s.task = running[s.task.Job]
			}
		}
	}
}

// inherit takes over what was known of a virtual service, but not what was done to it by hand: a reload
// sets that right.
func (v *virtual) inherit(was *virtual) {
	v.fallbackIn, v.hook, v.heard = was.fallbackIn, was.hook, was.heard
	v.backoff = was.backoff
	for _, s := range v.servers {
		for _, o := range was.servers {
			if o.task == s.task && o.dest.Addr == s.dest.Addr {
				s.health, s.reason, s.shortages = o.health, o.reason, o.shortages
				break
			}
		}
	}
}

// install makes the plan's virtual services and checks the current ones.
func (d *Director) install(ctx context.Context, p *Plan) {
	d.global, d.virtuals = &p.Config.Global, p.virtuals
	checks := make(map[*checker.Task]*check, len(p.tasks))
	d.waiting = 0
	for _, t := range p.tasks {
		checks[t] = &check{}
		if was := d.checks[t]; was != nil && was.known {
			*checks[t] = check{last: was.last, known: true}
		} else {
			d.waiting++
		}
	}
	for _, v := range d.virtuals {
		for _, s := range v.servers {
			if s.task != nil {
				checks[s.task].users = append(checks[s.task].users, user{v, s})
			}
		}
	}
	d.checks = checks
	d.drain(d.drained)
	d.maintain(d.keeper.watch(ctx, p))
	d.pool.Set(p.tasks)
}

// purge removes a virtual service that is not configured any more.
func (d *Director) purge(ctx context.Context, key ipvsctl.Key, tag string) {
	name := keyName(key)
	gone := &virtual{cfg: &parser.Virtual{ID: keyID(key)}, name: name, tag: tag}
	op := ipvsctl.Op{Kind: ipvsctl.DelService, Key: key}
	if err := d.do(ctx, op); err != nil {
		d.emit(notify.Event{Kind: notify.TableError, Virtual: gone.cfg.ID, Reason: err.Error(),
			Text: fmt.Sprintf("Table change failed: %s: %v", name, err)})
		return
	}
	d.tell(gone, op)
}

// cleanup removes, at the end, the virtual services that cleanstop says.
func (d *Director) cleanup(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	d.status = notify.StatusStopping
	for _, v := range d.virtuals {
		if !v.cfg.CleanStop {
			continue
		}
		if err := d.do(ctx, ipvsctl.Op{Kind: ipvsctl.DelService, Key: v.key}); err != nil {
			d.failed(v, err)
			continue
		}
		v.tag = "stop"
		for _, s := range v.servers {
			if s.state() == checker.Up {
				d.say(v, s, notify.Purged, fmt.Sprintf("Purged real server (stop): %s (%s)", s.name, v.name), "")
			}
		}
		d.tell(v, ipvsctl.Op{Kind: ipvsctl.DelService, Key: v.key})
	}
}
