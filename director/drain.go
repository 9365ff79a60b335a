package director

import (
	"context"
	"slices"
	"strings"
)

// Backend is one real server of one virtual service, named as the log names them.
type Backend struct {
	Virtual string // the configuration's id: tcp:192.0.2.1:80, fwm:3
	Real    string // address:port as configured
}

// Backends finds the servers that an operator means: real is address:port or address alone, virtual an
// id, address:port or mark; "" means any.
func (p *Plan) Backends(virtual, real string) []Backend {
	var found []Backend
	for _, s := range p.Services(virtual) {
		for _, m := range s.Members {
			if !m.Fallback && isMeant(m.Name, real) {
				found = append(found, Backend{s.Config.ID, m.Name})
			}
		}
	}
	return found
}

// Drain makes these the servers that get no new connections. It returns when the table was told, which may have
// refused it, or ctx is done.
func (d *Director) Drain(ctx context.Context, backends map[Backend]bool) error {
	return d.submit(ctx, func(ctx context.Context, done chan<- struct{}) {
		d.drain(backends)
		d.observe()
		d.sync(ctx, nil)
		close(done)
	})
}

// drain carries an order out. What is not in the plan is kept for a later one.
func (d *Director) drain(backends map[Backend]bool) {
	d.drained = backends
	for _, v := range d.virtuals {
		for _, s := range v.servers {
			if drained := backends[Backend{v.cfg.ID, s.name()}]; drained != s.drained {
				s.drained = drained
				s.transitioned, v.dirty = true, true
			}
		}
	}
}

// Backends finds the servers that an operator means in what runs, as Plan.Backends does in a plan. One whose name has no
// address yet is not among them.
func (now *Snapshot) Backends(virtual, real string) []Backend {
	var found []Backend
	for _, v := range now.Virtuals {
		if virtual != "" && virtual != v.ID && virtual != v.Name {
			continue
		}
		for _, s := range v.Servers {
			if s.Addr.IsValid() && isMeant(s.Real, real) {
				found = append(found, Backend{v.ID, s.Real})
			}
		}
	}
	return found
}

// isMeant reports whether an operator's word for a real server means the one of this name.
func isMeant(name, word string) bool {
	return word == "" || name == word || strings.HasPrefix(name, word+":")
}

// Last finds one of these servers without which, and without all that are drained, nobody serves its virtual
// service. Where nobody serves it as it is, that is a server without which nobody is left who could.
func (now *Snapshot) Last(backends []Backend, drained map[Backend]bool) (last Backend, any bool) {
	goes := setOf(backends)
	for _, v := range now.Virtuals {
		var serve, others, othersServe bool
		asked := Backend{}
		for _, s := range v.Servers {
			switch at := (Backend{v.ID, s.Real}); {
			case goes[at]:
				asked = at
				serve = serve || now.serves(v, s)
			case !drained[at]:
				others = true
				othersServe = othersServe || now.serves(v, s)
			}
		}
		if asked != (Backend{}) && !othersServe && (serve || !others) {
			return asked, true
		}
	}
	return Backend{}, false
}

// serves reports whether a server gets new connections. Where the table does not say, its checks do.
func (now *Snapshot) serves(v VirtualSnapshot, s ServerSnapshot) bool {
	if now.Standby || v.Error != "" {
		return s.Up && s.Weight > 0
	}
	return s.InTable && s.Effective > 0
}

// Undrained finds one of these servers that still gets new connections, and why.
func (now *Snapshot) Undrained(backends []Backend) (left Backend, why string, any bool) {
	asked := setOf(backends)
	for _, v := range now.Virtuals {
		for _, s := range v.Servers {
			if at := (Backend{v.ID, s.Real}); asked[at] && s.InTable && s.Effective > 0 {
				return at, v.Error, true
			}
		}
	}
	return Backend{}, "", false
}

// Refusing are the virtual services of these servers that refuse their clients as long as they are drained.
func (now *Snapshot) Refusing(backends []Backend) (ids []string) {
	asked := setOf(backends)
	for _, v := range now.Virtuals {
		if v.Refuses && slices.ContainsFunc(v.Servers, func(s ServerSnapshot) bool { return asked[Backend{v.ID, s.Real}] }) {
			ids = append(ids, v.ID)
		}
	}
	return ids
}

func setOf(backends []Backend) map[Backend]bool {
	set := make(map[Backend]bool, len(backends))
	for _, b := range backends {
		set[b] = true
	}
	return set
}
