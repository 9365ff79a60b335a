// Package announce puts virtual addresses on dummy devices, and adds local routes for their packets. A routing daemon
// finds the addresses there and announces them. The callers decide which address belongs where.
package announce

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"ldirectord/internal/lvs"
)

// Place says where an address is.
type Place struct {
	Addr    netip.Addr
	Device  string // the device on which we announce it; "": none, or a device that is down
	Local   bool   // its local route exists
	Foreign string // a device on which another program put it; "": none
	Up      bool   // the device in Foreign is up
	Owner   string // the other daemon that has it; "": none
	Trouble error  // what is wrong with its place: "device lvs0 is down"; "belongs to www.cf, pid 4711"
}

// Placed returns the places of wanted addresses as if each were already in its place.
func Placed(want []lvs.Wanted) []Place {
	places := make([]Place, len(want))
	for i, w := range want {
		places[i] = Place{Addr: w.Addr, Device: w.Device, Local: w.Local}
	}
	return places
}

// Announcer keeps the addresses of one daemon on devices. It recognizes its own addresses by the label DEVICE:ldir
// (IPv4), or by a preferred lifetime of 0 and the record (IPv6). Without a record, the local route shows that a daemon
// put an IPv6 address there. The Announcer leaves addresses of other programs alone.
type Announcer struct {
	claims Claims
	save   func(Record) error
	open   func() (kernel, error)

	mu       sync.Mutex // guards what follows
	recorded Record
	mine     Record // the record that this daemon made; nil until a Sync has saved one
	// the index of the device on which Sync put or found an address: if the address is missing there later, it was
	// removed by hand
	placed map[netip.Addr]int
}

// Claims returns the addresses of other daemons on this machine, each with the name of its daemon. Until release is
// called, no other daemon writes its record.
type Claims func(context.Context) (foreign map[netip.Addr]string, release func())

// Record lists, for each address, the devices on which this daemon or its predecessors may have put it. The next daemon
// reads the record. It is written before an address or a route is added. The device "" represents the local route. A
// desired address is recorded even without a device, to claim it.
type Record = map[netip.Addr][]string

// New returns the announcer of a daemon. before is the record of the previous daemon, and save writes a new one.
func New(before Record, claims Claims, save func(Record) error) *Announcer {
	return &Announcer{claims: claims, save: save, open: openKernel, recorded: before, placed: map[netip.Addr]int{}}
}

// Sync compares the desired places with the kernel's state, and corrects differences. It adds a route before its
// address, removes an address before its route, and removes an address from one device before it adds it to another. It
// returns a place for each desired address, in the order of want. If an address was removed by hand, Sync adds it again
// only if Repair is set, or after the address has been wanted on another device or on none. An address whose new device
// can't be used stays where it is. Sync withdraws recorded addresses that no service wants, and also returns the places
// of those with trouble, at the end. When ctx ends, Sync stops before the next address.
func (a *Announcer) Sync(ctx context.Context, want []lvs.Wanted) (places []Place, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, err := a.open()
	if err != nil {
		return nil, err
	}
	defer k.Close()
	foreign, release := a.claims(ctx)
	now, err := readState(k)
	if err != nil {
		release()
		return nil, err
	}
	all, next, unrecorded := a.claim(now, foreign, want)
	release()
	for i := range all {
		if err := ctx.Err(); err != nil {
			return places, fmt.Errorf("announcing addresses: %w", err)
		}
		s := &all[i]
		trouble := a.carryOut(k, s, unrecorded)
		s.recordIn(next, false)
		if i < len(want) || trouble != nil && !s.isOthers() {
			places = append(places, Place{s.Addr, s.at, s.routed && !s.gone, s.foreign,
				now.devices[s.foreign].up, s.owner, trouble})
		}
	}
	return places, a.record(next)
}

// claim plans and records the change of each address. If another daemon has recorded an address, claim leaves it to
// that daemon, unless we recorded it first.
func (a *Announcer) claim(now state, foreign map[netip.Addr]string, want []lvs.Wanted) ([]settling, Record, error) {
	all, next := []settling{}, Record{}
	maps.Copy(next, a.recorded)
	for i, w := range append(slices.Clone(want), a.leftovers(want)...) {
		s := settling{Wanted: w, wanted: i < len(want)}
		if _, ours := a.mine[w.Addr]; !ours {
			s.owner = foreign[w.Addr]
		}
		a.plan(now, &s)
		s.recordIn(next, true)
		all = append(all, s)
	}
	unrecorded := a.record(next)
	if unrecorded == nil {
		a.mine = next
	}
	return all, next, unrecorded
}

// leftovers returns the recorded addresses that no service wants.
func (a *Announcer) leftovers(want []lvs.Wanted) (list []lvs.Wanted) {
	left := maps.Clone(a.recorded)
	for _, w := range want {
		delete(left, w.Addr)
	}
	for _, addr := range slices.SortedFunc(maps.Keys(left), netip.Addr.Compare) {
		list = append(list, lvs.Wanted{Addr: addr, Devices: left[addr]})
	}
	return list
}

// mayHold returns the devices on which we, or a daemon that has ended, may have put an address. If our record lacks the
// address but there is a local route for it, the route is left from such a daemon. The address may then be on any
// device in w.
func (a *Announcer) mayHold(now state, w lvs.Wanted) []string {
	if on, known := a.recorded[w.Addr]; known || !now.hasRoute(w.Addr) {
		return on
	}
	return w.Devices
}

// record saves the record if it changed.
func (a *Announcer) record(next Record) error {
	if maps.EqualFunc(next, a.recorded, slices.Equal) {
		return nil
	}
	next = maps.Clone(next)
	err := a.save(next)
	if err == nil {
		a.recorded = next
	}
	return err
}

// sorted returns the elements of both lists in order, without duplicates.
func sorted(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}
