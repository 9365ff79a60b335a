package director

import (
	"context"
	"fmt"
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
			if real == "" || s.name == real || strings.HasPrefix(s.name, real+":") {
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

// Drain makes these the servers that get no new connections. It returns when the order is taken.
func (d *Director) Drain(ctx context.Context, places map[Place]bool) {
	select {
	case d.drains <- places:
	case <-ctx.Done():
	}
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
