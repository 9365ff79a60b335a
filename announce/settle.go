package announce

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ldirectord/instance"
)

// settling is what is to be done for one address.
type settling struct {
	Want
	target    device
	ours      map[string]netlink.Addr // by their devices
	at        string                  // where it is announced
	there     bool                    // it is on its device
	unclaimed error                   // why it could not be claimed
	obstacle  error                   // why it can't come to its device
	foreign   error                   // it is somewhere by somebody else
	gone      bool                    // nothing of us is left
}

// plan looks at one address.
func (a *Announcer) plan(now state, s *settling, repair bool) {
	s.at, s.ours, s.foreign = now.find(s.Want, a.recorded[s.Addr])
	_, s.there = s.ours[s.Device]
	if s.target = now[s.Device]; s.isOthers() {
		s.at = ""
	} else if !s.Undecided {
		s.obstacle = a.obstacle(s.target, s.Want, s.there || repair)
	}
}

// isOthers reports whether another daemon has the address.
func (s *settling) isOthers() bool { return errors.Is(s.unclaimed, instance.ErrClaimed) }

// recordIn records where the address may be by us, also on the device that it comes to.
func (s *settling) recordIn(next Record, comes bool) {
	switch {
	case s.isOthers() || s.gone:
		delete(next, s.Addr)
	case !s.Undecided && (s.Local || s.Device != ""):
		devices := slices.AppendSeq([]string{""}, maps.Keys(s.ours))
		if comes && s.obstacle == nil {
			devices = append(devices, s.Device)
		}
		next[s.Addr] = sorted(devices, nil)
	}
}

// carryOut brings the address to where it is wanted. Nothing is put there that is not recorded.
func (a *Announcer) carryOut(k kernel, s *settling, unrecorded error) error {
	trouble := cmp.Or(s.unclaimed, unrecorded)
	switch {
	case s.isOthers():
		return s.unclaimed
	case s.Undecided:
		return nil
	case !s.Local && s.Device == "":
		trouble = nil
	case trouble == nil:
		trouble = done(k.RouteAppend(localRoute(s.Addr)), "adding its local route", unix.EEXIST)
	}
	if trouble = cmp.Or(trouble, s.obstacle); s.Device != "" && trouble != nil {
		return trouble
	}
	for name, h := range s.ours {
		if name == s.Device {
			continue
		}
		if err := done(k.AddrDel(nil, &h), "removing it from "+name, unix.EADDRNOTAVAIL, unix.ENODEV); err != nil {
			return err
		}
		delete(s.ours, name)
		s.at = ""
	}
	switch {
	case s.Device != "":
		if !s.there {
			trouble = done(k.AddrAdd(nil, addressOn(s.target, s.Want)), "announcing it")
		}
		if trouble == nil {
			s.at, s.ours[s.Device], a.placed[s.Addr] = s.Device, netlink.Addr{}, s.target.index
		}
	case !s.Local:
		trouble = done(k.RouteDel(localRoute(s.Addr)), "removing its local route", unix.ESRCH)
		s.gone = trouble == nil
	}
	return cmp.Or(s.foreign, trouble)
}

// obstacle is why the address can't come to its device. It may, also where it was removed by hand.
func (a *Announcer) obstacle(d device, w Want, may bool) error {
	last := a.placed[w.Addr]
	delete(a.placed, w.Addr)
	if w.Device == "" {
		return nil
	}
	if unfit := d.unfit(w.Device); unfit != nil || last != d.index || may {
		return unfit
	}
	a.placed[w.Addr] = last
	return fmt.Errorf("was removed from %s by hand", w.Device)
}

// done is the error of a change, with what was being done; none where it is done already.
func done(err error, what string, already ...error) error {
	if err == nil || slices.ContainsFunc(already, func(is error) bool { return errors.Is(err, is) }) {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
