// Package announce keeps virtual addresses on dummy devices, where a routing daemon finds them and announces them, and the
// local routes by which their packets are served. It knows no health: which address is where is decided by others.
package announce

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"ldirectord/instance"
)

// Want is what should become of one address.
type Want struct {
	Addr      netip.Addr
	Device    string   // on which it is announced; "": on none
	Devices   []string // those of the configuration on which it may be found (announce, lastresort), Device among them
	Local     bool     // it is served here: a local route delivers its packets also while it is on no device. Device needs it
	Undecided bool     // leave it on the device where it is found: its first results are not there yet. Device is "" then
	Repair    bool     // put it there also where it was removed by hand
}

// Place is where an address is.
type Place struct {
	Addr    netip.Addr
	Device  string // on which we announce it; "": on none, or on one that is down
	Local   bool   // its local route is there
	Trouble error  // why it is not where it should be: "device lvs0 is down"; "belongs to another daemon: /etc/ha.d/www.cf (pid 4711)"
}

// Announcer keeps the addresses of one daemon on devices. Its own are known by the label DEVICE:ldir (IPv4), or by the
// record and because they are never a source (IPv6): an address of somebody else is left alone.
type Announcer struct {
	folder string // of the claims
	by     instance.Daemon
	save   func(Record) error
	open   func() (kernel, error)

	mu       sync.Mutex // guards what follows
	recorded Record
	claims   map[netip.Addr]*os.File // the addresses that are ours, among the daemons of this machine
	placed   map[netip.Addr]int      // the device (index) where Sync put or found it: if it is gone from there, it was removed by hand
}

// Record has the devices on which an address may be by a daemon and those before it, for the next one. It is written before
// the kernel is changed. The device "" is the local route.
type Record = map[netip.Addr][]string

// New is the announcer of a daemon. The claims are files in a folder (instance.Files.Claims), before is the record that the
// daemon before saved, and save replaces it.
func New(folder string, by instance.Daemon, before Record, save func(Record) error) *Announcer {
	return &Announcer{folder: folder, by: by, save: save, open: openKernel, recorded: before, claims: map[netip.Addr]*os.File{}, placed: map[netip.Addr]int{}}
}

// Sync compares what is wanted with what the kernel says, and changes what differs: routes before addresses that come,
// addresses before routes that go, removal from one device before the other gets it. It returns a place for each address
// that is wanted, in this order. An address that was removed by hand comes back only with Repair, or after it was wanted
// elsewhere; one whose new device is missing or down stays where it is. What the record has and nobody wants is withdrawn; if
// that fails, its place follows the others. ctx ends Sync between two addresses.
func (a *Announcer) Sync(ctx context.Context, want []Want) (places []Place, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, err := a.open()
	if err != nil {
		return nil, err
	}
	defer k.Close()
	all, next := []settling{}, Record{}
	for _, w := range append(slices.Clone(want), a.leftovers(want)...) {
		all = append(all, settling{Want: w, unclaimed: a.claim(w.Addr)})
	}
	now, err := readState(k) // after the claims: nobody else changes it then
	if err != nil {
		return nil, err
	}
	maps.Copy(next, a.recorded)
	for i := range all {
		a.plan(now, &all[i])
		all[i].recordIn(next, true)
	}
	unrecorded := a.record(next)
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
	needed := map[netip.Addr]bool{}
	for _, w := range want {
		needed[w.Addr] = true
	}
	for addr := range a.claims {
		if _, left := next[addr]; !left && !needed[addr] {
			a.release(addr) // for the daemon of another file
		}
	}
	return places, a.record(next)
}

// leftovers are the addresses of the record that nobody wants.
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

// claim makes an address this daemon's: instance.ErrClaimed where another one of this machine has it.
func (a *Announcer) claim(addr netip.Addr) (err error) {
	if a.claims[addr] == nil {
		a.claims[addr], err = instance.Claim(a.claimFile(addr), fmt.Sprintf("%s (pid %d)", a.by.Path, os.Getpid()))
	}
	return err
}

// release gives up the claim on an address, as the end of the process does.
func (a *Announcer) release(addr netip.Addr) {
	a.claims[addr].Close() // which a nil file refuses
	delete(a.claims, addr)
}

// claimFile is the one of an address in a network namespace.
func (a *Announcer) claimFile(addr netip.Addr) string {
	return filepath.Join(a.folder, fmt.Sprintf("%s@%d", addr, a.by.NetNS))
}
