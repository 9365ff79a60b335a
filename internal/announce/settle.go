package announce

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/vishvananda/netlink"

	"ldirectord/internal/lvs"
	"ldirectord/internal/runfile"
)

// settling is the pending work for one address.
type settling struct {
	lvs.Wanted
	target   device
	ours     map[string]netlink.Addr // by device
	at       string                  // where it is announced
	routed   bool                    // its local route exists
	there    bool                    // it is on Device, put there by us
	wanted   bool                    // it is desired, and not left over
	owner    string                  // the other daemon that has it; "": none
	obstacle error                   // why it can't be put on its device
	foreign  string                  // a device on which another program put it; "": none
	gone     bool                    // our address and its local route are removed
}

// plan prepares the change of one address.
func (a *Announcer) plan(now state, s *settling) {
	s.at, s.ours, s.foreign = now.find(s.Wanted, a.mayHold(now, s.Wanted))
	_, s.there = s.ours[s.Device]
	s.target = now.devices[s.Device]
	s.routed = now.hasRoute(s.Addr)
	switch {
	case s.isOthers():
		s.at, s.foreign = "", ""
	case !s.Undecided:
		s.obstacle = a.obstacle(s)
	}
}

// isOthers reports whether the address belongs to another daemon.
func (s *settling) isOthers() bool { return s.owner != "" }

// isForeign reports whether only another program has put an IPv6 address on its device or, if it belongs on none now,
// on any of its devices. The kernel then accepts its packets already, and our route would make the address look like
// that of a daemon, see mayHold.
func (s *settling) isForeign() bool {
	return s.Addr.Is6() && s.foreign != "" && len(s.ours) == 0 && (s.Device == "" || s.Device == s.foreign)
}

// recordIn updates the entry of the address in next: the devices on which we may have put it and, if comes is true, the
// device on which it is about to be put. It deletes the entry if the address is gone or belongs to another daemon.
func (s *settling) recordIn(next Record, comes bool) {
	switch {
	case s.isOthers() || s.gone:
		delete(next, s.Addr)
	case s.Local:
		devices := slices.AppendSeq([]string{""}, maps.Keys(s.ours))
		if comes && s.obstacle == nil && !s.isForeign() {
			devices = append(devices, s.Device)
		}
		next[s.Addr] = sorted(devices, nil)
	}
	if _, recorded := next[s.Addr]; !recorded && s.wanted && !s.isOthers() {
		next[s.Addr] = slices.Sorted(maps.Keys(s.ours)) // claimed
	}
}

// carryOut moves the address to its desired place. It adds a route or an address only if the record could be saved.
func (a *Announcer) carryOut(k kernel, s *settling, unrecorded error) error {
	if s.isOthers() {
		return fmt.Errorf("belongs to %s", s.owner)
	}
	var trouble error
	if s.Local {
		trouble = unrecorded
	}
	if s.Local && trouble == nil && !s.routed && !s.isForeign() {
		trouble = runfile.While("adding its local route", k.RouteAppend(localRoute(s.Addr)))
		s.routed = trouble == nil
	}
	if s.Undecided {
		return trouble
	}
	if trouble = cmp.Or(trouble, s.obstacle); s.Device != "" && trouble != nil {
		return trouble
	}
	for name, h := range s.ours {
		if name == s.Device {
			continue
		}
		if err := runfile.While("removing it from "+name, k.AddrDel(nil, &h)); err != nil {
			return err
		}
		delete(s.ours, name)
		s.at = ""
	}
	switch {
	case s.Device != "":
		if !s.there {
			trouble = runfile.While("announcing it", k.AddrAdd(nil, addressOn(s.target, s.Wanted)))
		}
		if trouble == nil {
			s.at, s.ours[s.Device], a.placed[s.Addr] = s.Device, netlink.Addr{}, s.target.index
		}
	case !s.Local:
		if s.routed {
			trouble = runfile.While("removing its local route", k.RouteDel(localRoute(s.Addr)))
		}
		s.gone = trouble == nil
	}
	if s.foreign != "" {
		return fmt.Errorf("is on %s, where ldirectord did not put it: it is left alone", s.foreign)
	}
	return trouble
}

// obstacle returns the reason why the address can't be put on its device, or nil.
func (a *Announcer) obstacle(s *settling) error {
	last := a.placed[s.Addr]
	delete(a.placed, s.Addr)
	if s.Device == "" {
		return nil
	}
	_, unfit := s.target.unfit(s.Device)
	if unfit != nil || s.there || s.Repair || last != s.target.index {
		return unfit
	}
	a.placed[s.Addr] = last
	return fmt.Errorf("was removed from %s by hand", s.Device)
}
