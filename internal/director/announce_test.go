package director

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ldirectord/internal/announce"
	"ldirectord/internal/lvs"
)

// devices is an Announcer whose kernel is a map. It reports every change as "+ ADDRESS DEVICE" or "- ADDRESS DEVICE",
// and those of the local route with "local" as the device.
type devices struct {
	mu      sync.Mutex // guards the fields below
	say     func(string)
	on      map[netip.Addr]string
	local   map[netip.Addr]bool
	down    map[string]bool
	changed chan struct{}
	slow    time.Duration // of each Sync
	broken  atomic.Bool
}

func newDevices(say func(string)) *devices {
	return &devices{say: say, on: map[netip.Addr]string{}, local: map[netip.Addr]bool{}, down: map[string]bool{},
		changed: make(chan struct{}, 1)}
}

func (d *devices) Changes(context.Context) <-chan struct{} { return d.changed }

func (d *devices) Sync(ctx context.Context, want []lvs.Wanted) ([]announce.Place, error) {
	time.Sleep(d.slow)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken.Load() {
		return nil, errors.New("the kernel does not answer")
	}
	wanted := map[netip.Addr]bool{}
	var all []announce.Place
	for _, w := range want {
		wanted[w.Addr] = true
		p := announce.Place{Addr: w.Addr}
		if w.Undecided && w.Local {
			p.Trouble = d.route(w.Addr)
		} else if !w.Undecided {
			p.Trouble = d.settle(w)
		}
		p.Local = d.local[w.Addr]
		if p.Device = d.on[w.Addr]; d.down[p.Device] {
			p.Device = ""
		}
		all = append(all, p)
	}
	for _, addr := range slices.SortedFunc(maps.Keys(d.local), netip.Addr.Compare) {
		if !wanted[addr] {
			d.settle(lvs.Wanted{Addr: addr})
		}
	}
	return all, ctx.Err()
}

func (d *devices) settle(w lvs.Wanted) error {
	device, serves := w.Device, w.Local || w.Device != ""
	if d.down[device] {
		return fmt.Errorf("device %s is down", device)
	}
	if serves {
		d.route(w.Addr)
	}
	if was := d.on[w.Addr]; was != device {
		if delete(d.on, w.Addr); was != "" {
			d.say(fmt.Sprintf("- %s %s", w.Addr, was))
		}
		if device != "" {
			d.on[w.Addr] = device
			d.say(fmt.Sprintf("+ %s %s", w.Addr, device))
		}
	}
	if !serves && d.local[w.Addr] {
		delete(d.local, w.Addr)
		d.say(fmt.Sprintf("- %s local", w.Addr))
	}
	return nil
}

func (d *devices) route(addr netip.Addr) error {
	if !d.local[addr] {
		d.local[addr] = true
		d.say(fmt.Sprintf("+ %s local", addr))
	}
	return nil
}

func (d *devices) isLocal(addr netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.local[addr]
}
