package director

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"ldirectord/announce"
)

// devices is an Announcer whose kernel is a map, which tells every change: "+ ADDRESS DEVICE", "- ADDRESS DEVICE", and the
// same with "local" for the route.
type devices struct {
	say     func(string)
	on      map[netip.Addr]string
	local   map[netip.Addr]bool
	down    map[string]bool
	changed chan struct{}
	slow    time.Duration // of each Sync
	broken  atomic.Bool
	syncs   int
}

func newDevices(say func(string)) *devices {
	return &devices{say: say, on: map[netip.Addr]string{}, local: map[netip.Addr]bool{}, down: map[string]bool{}, changed: make(chan struct{}, 1)}
}

func (d *devices) Changes(context.Context) <-chan struct{} { return d.changed }

func (d *devices) Sync(ctx context.Context, want []announce.Want, _ bool) ([]announce.Place, error) {
	d.syncs++
	time.Sleep(d.slow)
	if d.broken.Load() {
		return nil, errors.New("the kernel does not answer")
	}
	wanted := map[netip.Addr]bool{}
	var all []announce.Place
	for _, w := range want {
		wanted[w.Addr] = true
		p := announce.Place{Addr: w.Addr}
		if !w.Undecided {
			p.Trouble = d.settle(w)
		}
		p.Device = d.on[w.Addr]
		all = append(all, p)
	}
	for addr := range d.on {
		if !wanted[addr] {
			d.settle(announce.Want{Addr: addr})
		}
	}
	return all, ctx.Err()
}

func (d *devices) settle(w announce.Want) (trouble string) {
	device, serves := w.Device, w.Local || w.Device != ""
	if d.down[device] {
		return fmt.Sprintf("device %s is down", device)
	}
	if serves && !d.local[w.Addr] {
		d.local[w.Addr] = true
		d.say(fmt.Sprintf("+ %s local", w.Addr))
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
	return ""
}
