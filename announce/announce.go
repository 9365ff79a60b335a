// Package announce keeps virtual addresses on dummy devices, where a routing daemon finds them and announces them, and
// the local routes by which their packets are served. It knows no health: which address is where is decided by others.
package announce

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
)

// Want is what should become of one address.
type Want struct {
	Addr   netip.Addr
	Device string // on which it is announced; "": on none
	// those of the configuration on which it may be found (announce, lastresort), Device among them
	Devices []string
	// it is served here: a local route delivers its packets also while it is on no device. Device needs it
	Local bool
	// leave it on the device where it is found: its first results are not there yet. Device is "" then
	Undecided bool
	Repair    bool // put it there also where it was removed by hand
}

// Place is where an address is.
type Place struct {
	Addr    netip.Addr
	Device  string // on which we announce it; "": on none, or on one that is down
	Local   bool   // its local route is there
	Trouble error  // why it is not where it should be: "device lvs0 is down"; "belongs to www.cf, pid 4711"
}

// Announcer keeps the addresses of one daemon on devices. Its own are known by the label DEVICE:ldir (IPv4), or by the
// record and because they are never a source (IPv6): an address of another program is left alone.
type Announcer struct {
	claims Claims
	save   func(Record) error
	open   func() (kernel, error)

	mu       sync.Mutex // guards what follows
	recorded Record
	mine     Record             // what this daemon recorded itself
	placed   map[netip.Addr]int // where Sync put or found it, by index: if it is gone, it was removed by hand
}

// Claims tell which addresses other daemons of this machine have, and which daemons. None writes its record before
// release is called.
type Claims func(context.Context) (theirs map[netip.Addr]string, release func())

// Record has the devices on which an address may be by a daemon and those before it, for the next one. It is written
// before the kernel is changed. The device "" is the local route. An address that is wanted, and on none, is in it as
// well: it is claimed.
type Record = map[netip.Addr][]string

// New is the announcer of a daemon. Before is the record that the daemon before saved, and save replaces it.
func New(before Record, claims Claims, save func(Record) error) *Announcer {
	return &Announcer{claims: claims, save: save, open: openKernel, recorded: before, placed: map[netip.Addr]int{}}
}

// Sync compares what is wanted with what the kernel says, and changes what differs: routes before addresses that
// come, addresses before routes that go, removal from one device before the other gets it. It returns a place for
// each address that is wanted, in this order. An address that was removed by hand comes back only with Repair, or
// after it was wanted elsewhere; one whose new device is missing or down stays where it is. What the record has and
// no service wants is withdrawn; if that fails, its place follows the others. ctx ends Sync between two addresses.
func (a *Announcer) Sync(ctx context.Context, want []Want) (places []Place, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, err := a.open()
	if err != nil {
		return nil, err
	}
	defer k.Close()
	theirs, release := a.claims(ctx)
	now, err := readState(k)
	if err != nil {
		release()
		return nil, err
	}
	all, next, unrecorded := a.claim(now, theirs, want)
	release()
	for i := range all {
		if err := ctx.Err(); err != nil {
			return places, fmt.Errorf("announcing addresses: %w", err)
		}
		s := &all[i]
		trouble := a.carryOut(k, s, unrecorded)
		s.recordIn(next, false)
		if i < len(want) || trouble != nil && !s.isOthers() {
			places = append(places, Place{s.Addr, s.at, s.routed && !s.gone, trouble})
		}
	}
	return places, a.record(next)
}

// claim plans what becomes of each address, and records it: what others have recorded is theirs.
func (a *Announcer) claim(now state, theirs map[netip.Addr]string, want []Want) ([]settling, Record, error) {
	all, next := []settling{}, Record{}
	maps.Copy(next, a.recorded)
	for i, w := range append(slices.Clone(want), a.leftovers(want)...) {
		s := settling{Want: w, wanted: i < len(want)}
		if _, ours := a.mine[w.Addr]; !ours {
			s.owner = theirs[w.Addr]
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

// leftovers are the addresses of the record that no service wants.
func (a *Announcer) leftovers(want []Want) (list []Want) {
	left := maps.Clone(a.recorded)
	for _, w := range want {
		delete(left, w.Addr)
	}
	for _, addr := range slices.SortedFunc(maps.Keys(left), netip.Addr.Compare) {
		list = append(list, Want{Addr: addr, Devices: left[addr]})
	}
	return list
}

// record has the record written down, if it changed.
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

// sorted has each of both lists once.
func sorted(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}
