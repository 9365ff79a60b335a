// Package plan makes a configuration ready to run: it computes the settings and entries of the table and builds the
// checks, so that no mistake in the file can show up later. It also computes the table that the command plan shows. A
// plan in force does not change.
package plan

import (
	"ldirectord/checker"
	"ldirectord/internal/lvs"
	"ldirectord/internal/schedule"
	"ldirectord/parser"
)

// Plan is a configuration made ready to run.
type Plan struct {
	Config   *parser.Config
	TLS      checker.TLSSums        // checksums of the files that the checks read
	Ways     []checker.Through      // the paths of the checks through virtual addresses
	Services []*Service             // in the order of the file
	Tasks    []*schedule.Task       // every check once, in the order of Services
	jobs     map[job]*schedule.Task // Tasks by job; nil once the plan is in force
}

// Keys returns the keys of the virtual services of the plan.
func (p *Plan) Keys() []lvs.Key {
	keys := make([]lvs.Key, len(p.Services))
	for i, s := range p.Services {
		keys[i] = s.Key()
	}
	return keys
}

// ServicesOf finds the virtual services with this id, address:port or mark; "" means all.
func (p *Plan) ServicesOf(virtual string) (found []*Service) {
	for _, s := range p.Services {
		if lvs.IsNamed(s.Config.ID, virtual) {
			found = append(found, s)
		}
	}
	return found
}
