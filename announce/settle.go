package announce

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"ldirectord/instance"
)

// settle brings one address to where it is wanted. It returns the device on which we announce it then, and the trouble.
func (a *Announcer) settle(k kernel, now state, w Want, repair bool) (at string, trouble error) {
	unsafe := a.claim(w.Addr)
	if errors.Is(unsafe, instance.ErrClaimed) {
		return "", errors.Join(unsafe, a.record(w.Addr, nil))
	}
	at, ours, foreign := now.find(w, a.recorded[w.Addr])
	if w.Undecided {
		return at, nil
	}
	_, there := ours[w.Device]
	trouble = a.obstacle(now[w.Device], w, there || repair)
	if w.Local || w.Device != "" {
		next := slices.AppendSeq([]string{""}, maps.Keys(ours)) // "" for the route
		if trouble == nil {
			next = append(next, w.Device)
		}
		if unsafe = cmp.Or(unsafe, a.record(w.Addr, next)); unsafe == nil {
			unsafe = done(k.RouteAppend(localRoute(w.Addr)), "adding its local route", unix.EEXIST)
		}
		if trouble = cmp.Or(unsafe, trouble); w.Device != "" && trouble != nil {
			return at, trouble
		}
	}
	delete(ours, w.Device)
	for name, h := range ours {
		if err := done(k.AddrDel(nil, &h), "removing it from "+name, unix.EADDRNOTAVAIL, unix.ENODEV); err != nil {
			return at, err
		}
		at = ""
	}
	switch {
	case w.Device != "":
		if !there {
			trouble = done(k.AddrAdd(nil, addressOn(now[w.Device], w)), "announcing it")
		}
		if trouble == nil {
			at, a.placed[w.Addr] = w.Device, now[w.Device].index
		}
	case !w.Local:
		if trouble = done(k.RouteDel(localRoute(w.Addr)), "removing its local route", unix.ESRCH); trouble == nil {
			return "", cmp.Or(foreign, a.record(w.Addr, nil))
		}
	}
	return at, cmp.Or(foreign, trouble, a.record(w.Addr, []string{"", at}))
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
