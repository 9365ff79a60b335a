package director

import (
	"ldirectord/ipvsctl"
	"ldirectord/lvs"
)

// keptRoutes takes over the destinations of servers by gate whose connections are by masq, as the table has them: one
// of a section may be without new ones, while others serve.
func (o *oracle) keptRoutes(s section, want, have dests) {
	left := 0
	for _, e := range s.places() {
		now, wanted := have[e.addr], want[e.addr]
		if e.masq || now.Forward != lvs.Masq || !o.busy[e.addr] || wanted.Addr != e.addr {
			continue
		}
		switch {
		case now.Weight == wanted.Weight:
		case now.Weight == 0 && left == 0 && weight(ipvsctl.Service{Dests: have}) > 0:
			left++
		default:
			continue
		}
		want[e.addr] = now
	}
}

// staysMasq reports whether a change leaves a server by masq that is to be reached by gate.
func (o *oracle) staysMasq(op ipvsctl.Op, sections []section, before ipvsctl.Service) bool {
	if op.Kind != ipvsctl.EditDest || op.Dest.Forward != lvs.Masq ||
		before.Dests[op.Dest.Addr].Forward != lvs.Masq {
		return false
	}
	for _, s := range sections {
		if e, in := entryAt(s.places(), op.Dest.Addr); in && !e.masq {
			return true
		}
	}
	return false
}
