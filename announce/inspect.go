package announce

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"

	"ldirectord/instance"
)

// Inspect finds, without a change: devices that can't have what is wanted on them (a Place without an address), addresses that
// are wanted and are on other devices too, and addresses with our label that no running daemon has. folder is that of the claims.
func Inspect(folder string, by instance.Daemon, want []Want) ([]Place, error) {
	k, err := openKernel()
	if err != nil {
		return nil, err
	}
	defer k.Close()
	return inspect(k, folder, by, want)
}

func inspect(k kernel, folder string, by instance.Daemon, want []Want) (found []Place, err error) {
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
		for _, h := range d.held {
			addr := addrOf(h)
			locked, bad := instance.IsLocked(claimFile(folder, by, addr))
			if isOurs(h) && !locked && (bad == nil || errors.Is(bad, fs.ErrNotExist)) {
				found = append(found, Place{addr, name, "was announced by a daemon that does not run any more"})
			} else if on, wanted := devices[addr]; wanted && !slices.Contains(on, name) {
				found = append(found, Place{addr, name, "is on this device too"})
			}
		}
	}
	return found, err
}
