package plan

import (
	"ldirectord/checker"
	"ldirectord/internal/lvs"
	"ldirectord/internal/schedule"
	"ldirectord/parser"
)

// Check is one check of a plan and where it is used, or a server that waits for an address.
type Check struct {
	Virtual, Real string
	Name          string // http, or http 80 if the server has several checks; - while it waits
	Spec          checker.Spec
	Task          *schedule.Task // nil with checktype=off, and without an address
	Waits         string         // why the server has no address; "" if it has one
}

// ChecksOf lists the checks of the servers that an operator names; "" means all. It also lists those of them that wait
// for an address. view.Snapshot.Backends describes the names.
func (p *Plan) ChecksOf(virtual, real string) (list []Check) {
	for _, s := range p.ServicesOf(virtual) {
		for _, e := range s.Entries {
			name, other := e.Names()
			isMeant := real == "" || lvs.IsServer(name, real) || lvs.IsServer(other, real) ||
				e.Real.Tags.IsMeant(real)
			if !isMeant || e.Fallback && e.Unchecked {
				continue
			}
			at := Check{Virtual: s.Config.ID, Real: name}
			for x := range s.Uses(e) {
				at.Name, at.Spec, at.Task = x.Name(), x.Spec(), x.Line.Task
				list = append(list, at)
			}
		}
		for _, w := range s.Config.Waiting {
			at := Check{Virtual: s.Config.ID, Real: w.Name, Name: "-", Waits: NoAddress(w)}
			if real == "" || lvs.IsServer(w.Name, real) || w.Tags.IsMeant(real) {
				list = append(list, at)
			}
		}
	}
	return list
}

// NoAddress returns the reason why a server has no address.
func NoAddress(w parser.Waiting) string { return "no address: " + w.Host + ": " + w.Why }
