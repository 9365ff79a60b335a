package announce

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"

	"ldirectord/instance"
)

// Inspect finds, without a change: devices that can't have what is wanted on them (a Place without an address), addresses that
// are wanted and are on other devices too, and addresses with our label that no running daemon has. For an Announcer that
// only looks, New needs no record and nothing that saves one.
func (a *Announcer) Inspect(want []Want) (found []Place, err error) {
	k, err := a.open()
	if err != nil {
		return nil, err
	}
	defer k.Close()
	now, err := readState(k)
	devices := map[netip.Addr][]string{}
	for _, w := range want {
		devices[w.Addr] = w.Devices
		for _, name := range w.Devices {
			if unfit := now[name].unfit(name); unfit != nil && !slices.Contains(found, Place{netip.Addr{}, name, unfit.Error()}) {
				found = append(found, Place{netip.Addr{}, name, unfit.Error()})
			}
		}
	}
	for name, d := range now {
		for addr, held := range d.held {
			locked, bad := instance.IsLocked(a.claimFile(addr))
			if slices.ContainsFunc(held, isOurs) && !locked && (bad == nil || errors.Is(bad, fs.ErrNotExist)) {
				found = append(found, Place{addr, name, "was announced by a daemon that does not run any more"})
			} else if on, wanted := devices[addr]; wanted && !slices.Contains(on, name) {
				found = append(found, Place{addr, name, "is on this device too"})
			}
		}
	}
	return found, err
}

// Preview is what Sync would change, in words: addresses that are wanted and are on none of their devices, and those of the
// record that are not wanted where they are.
func (a *Announcer) Preview(want []Want) (changes []string, err error) {
	if len(want)+len(a.recorded) == 0 {
		return nil, nil
	}
	k, err := a.open()
	if err != nil {
		return nil, err
	}
	defer k.Close()
	now, err := readState(k)
	for _, w := range append(slices.Clone(want), a.leftovers(want)...) {
		_, ours, foreign := now.find(w, a.recorded[w.Addr])
		there := foreign != nil || w.Device == ""
		for _, name := range slices.Sorted(maps.Keys(ours)) {
			if w.Device != "" && slices.Contains(w.Devices, name) {
				there = true
			} else {
				changes = append(changes, fmt.Sprintf("would take %s from %s (not in the file)", single(w.Addr), name))
			}
		}
		if !there {
			changes = append(changes, fmt.Sprintf("would put %s on %s", single(w.Addr), w.Device))
		}
	}
	return changes, err
}
