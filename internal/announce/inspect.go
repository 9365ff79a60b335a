package announce

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"ldirectord/internal/lvs"
)

// Fault describes a device that can't be used to announce addresses, or an address that should not be on its device.
type Fault struct {
	Device string
	Addr   netip.Prefix // the zero Prefix if the fault is the device's
	// for a device: "device lvs0 is down"; for an address: "was announced by a daemon that is no longer running"
	Text    string
	Command string // the command that fixes it; "" if no command does
}

// Inspect finds devices that can't be used to announce addresses, desired addresses that are also on other devices, and
// addresses from daemons that no longer run. It changes nothing. For an Announcer that is used only to inspect, save
// may be nil, and claims must return the addresses of all running daemons.
func (a *Announcer) Inspect(want []lvs.Wanted) (found []Fault, err error) {
	now, err := a.look()
	if err != nil {
		return nil, err
	}
	has, release := a.claims(context.Background())
	defer release()
	devices, named := map[netip.Addr][]string{}, []string(nil)
	for _, w := range want {
		devices[w.Addr], named = w.Devices, sorted(named, w.Devices)
	}
	for _, name := range named {
		if command, unfit := now.devices[name].unfit(name); unfit != nil {
			found = append(found, Fault{Device: name, Text: unfit.Error(), Command: command})
		}
	}
	for name, d := range now.devices {
		for addr, held := range d.held {
			text := ""
			quiet := d.dummy && now.hasRoute(addr) && slices.ContainsFunc(held, isQuiet)
			if has[addr] == "" && (quiet || slices.ContainsFunc(held, isOurs)) {
				text = "was announced by a daemon that is no longer running"
			} else if on, wanted := devices[addr]; wanted && !slices.Contains(on, name) {
				text = "is on this device too"
			}
			if text != "" {
				prefix := prefixOf(held[0].IPNet)
				found = append(found, Fault{name, prefix, text,
					fmt.Sprintf("ip address del %s dev %s", prefix, name)})
			}
		}
	}
	return found, nil
}

// Preview describes what Sync would change: desired addresses that are on none of their devices, and recorded addresses
// in unwanted places. An address with Local set but no Device was withdrawn by an order.
func (a *Announcer) Preview(want []lvs.Wanted) (changes []string, err error) {
	if len(want)+len(a.recorded) == 0 {
		return nil, nil
	}
	now, err := a.look()
	if err != nil {
		return nil, err
	}
	for _, w := range append(slices.Clone(want), a.leftovers(want)...) {
		_, ours, foreign := now.find(w, a.mayHold(now, w))
		there, why := foreign != "" || w.Device == "", "not in the file"
		if w.Device == "" && w.Local {
			why = "withdrawn by order"
		}
		for _, name := range slices.Sorted(maps.Keys(ours)) {
			if w.Device != "" && slices.Contains(w.Devices, name) {
				there = true
			} else {
				changes = append(changes,
					fmt.Sprintf("would take %s from %s (%s)", single(w.Addr), name, why))
			}
		}
		if !there {
			changes = append(changes, fmt.Sprintf("would put %s on %s", single(w.Addr), w.Device))
		}
	}
	return changes, nil
}

// look reads the kernel's state without changing anything.
func (a *Announcer) look() (state, error) {
	k, err := a.open()
	if err != nil {
		return state{}, err
	}
	defer k.Close()
	return readState(k)
}
