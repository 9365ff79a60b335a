package director

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ldirectord/ipvsctl"
)

// Place is one real server of one virtual service, named as the log names them.
type Place struct {
	Virtual string // the configuration's id: tcp:192.0.2.1:80, fwm:3
	Real    string // address:port as configured
}

// Places finds the servers that an operator means: real is address:port or address alone, virtual an
// id, address:port or mark; "" means any.
func (p *Plan) Places(virtual, real string) []Place {
	var found []Place
	for _, v := range p.virtuals {
		if !v.isMeant(virtual) {
			continue
		}
		for _, s := range v.servers {
			if isMeant(s.name, real) {
				found = append(found, Place{v.cfg.ID, s.name})
			}
		}
	}
	return found
}

// Position is where a place stands in the table.
func (p *Plan) Position(at Place) (ipvsctl.Key, ipvsctl.Dest, error) {
	for _, v := range p.virtuals {
		for _, s := range v.servers {
			if v.cfg.ID == at.Virtual && s.name == at.Real {
				return v.key, s.dest, nil
			}
		}
	}
	return ipvsctl.Key{}, ipvsctl.Dest{}, fmt.Errorf("%s has no real server %s", at.Virtual, at.Real)
}

// drainOrder says which servers get no new connections, of all.
type drainOrder struct {
	places map[Place]bool
	done   chan struct{}
}

// Drain makes these the servers that get no new connections. It returns when the table was told, which may have
// refused it, or ctx is done.
func (d *Director) Drain(ctx context.Context, places map[Place]bool) error {
	o := drainOrder{places: places, done: make(chan struct{})}
	return give(ctx, d.drains, o, o.done)
}

// drain carries an order out; what is not in the plan is kept for a later one.
func (d *Director) drain(places map[Place]bool) {
	d.drained = places
	for _, v := range d.virtuals {
		for _, s := range v.servers {
			if drained := places[Place{v.cfg.ID, s.name}]; drained != s.drained {
				s.drained = drained
				s.moved, v.dirty = true, true
			}
		}
	}
}

// Places finds the servers that an operator means in what runs, as Plan.Places does in a plan: one whose name has
// no address yet is none.
func (now *Snapshot) Places(virtual, real string) []Place {
	var found []Place
	for _, v := range now.Virtuals {
		if virtual != "" && virtual != v.ID && virtual != v.Name {
			continue
		}
		for _, s := range v.Servers {
			if s.Addr.IsValid() && isMeant(s.Real, real) {
				found = append(found, Place{v.ID, s.Real})
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
// service.
func (now *Snapshot) Last(places []Place, drained map[Place]bool) (last Place, any bool) {
	goes := setOf(places)
	left := map[string]int{}
	for _, v := range now.Virtuals {
		for _, s := range v.Servers {
			if at := (Place{v.ID, s.Real}); !drained[at] && !goes[at] && now.serves(v, s) {
				left[v.ID]++
			}
		}
	}
	for _, p := range places {
		if left[p.Virtual] == 0 {
			return p, true
		}
	}
	return Place{}, false
}

func setOf(places []Place) map[Place]bool {
	set := make(map[Place]bool, len(places))
	for _, p := range places {
		set[p] = true
	}
	return set
}

// serves reports whether a server gets new connections. Where the table does not say, its checks do.
func (now *Snapshot) serves(v VirtualSnapshot, s ServerSnapshot) bool {
	if now.Standby || v.Error != "" {
		return s.Up && s.Weight > 0
	}
	return s.InTable && s.Effective > 0
}

// Undrained finds one of these servers that still gets new connections, and why.
func (now *Snapshot) Undrained(places []Place) (left Place, why string, any bool) {
	asked := setOf(places)
	for _, v := range now.Virtuals {
		for _, s := range v.Servers {
			if at := (Place{v.ID, s.Real}); asked[at] && s.InTable && s.Effective > 0 {
				return at, v.Error, true
			}
		}
	}
	return Place{}, "", false
}

// Refusing are the virtual services of these servers that refuse their clients as long as they are drained.
func (now *Snapshot) Refusing(places []Place) (ids []string) {
	asked := setOf(places)
	for _, v := range now.Virtuals {
		if v.Refuses && slices.ContainsFunc(v.Servers, func(s ServerSnapshot) bool { return asked[Place{v.ID, s.Real}] }) {
			ids = append(ids, v.ID)
		}
	}
	return ids
}
