// Package announce keeps virtual addresses on dummy devices, where a routing daemon finds them and announces them, and the
// local routes by which their packets are served. It knows no health: which address is where is decided by others.
package announce

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"ldirectord/instance"
)

// Want is what should become of one address.
type Want struct {
	Addr      netip.Addr
	Device    string   // on which it is announced; "": on none
	Devices   []string // those of the configuration on which it may be found (announce, lastresort), Device among them
	Local     bool     // it is served here: a local route delivers its packets also while it is on no device
	Undecided bool     // leave it as it is found: its first results are not there yet
}

// Place is where an address is.
type Place struct {
	Addr    netip.Addr
	Device  string // on which we announce it; "": on none, or on one that is down
	Trouble string // why it is not where it should be: "device lvs0 is down"; "belongs to /etc/ha.d/www.cf (pid 4711)"
}

// Announcer keeps the addresses of one daemon on devices. What it did is known by a mark on the address (the label
// DEVICE:ldir for IPv4, the protocol 77 for both families), so that an address of somebody else is left alone, and by a
// record in the run folder, so that the next daemon withdraws what left the file.
type Announcer struct {
	files instance.Files
	by    instance.Daemon
	open  func() (kernel, error)

	mu       sync.Mutex
	recorded map[netip.Addr][]string // what may be in the kernel by us, and on which devices; nil before the record was read
	written  string                  // the record, as it is in the file
	claims   map[netip.Addr]*os.File // the addresses that are ours, among the daemons of this machine
	placed   map[netip.Addr]int      // the device (index) on which Sync put or found it: if it is gone from there, it was removed by hand

	fellMu sync.Mutex
	fell   map[int]bool // devices that were down since the last Sync, which removes addresses of IPv6; 0: any may have been
}

// New is the announcer of a daemon. It is needed where the configuration announces, or where the record (Files.Announced)
// of a daemon before is there. Its claims end with the process, or with Close.
func New(files instance.Files, by instance.Daemon) *Announcer {
	return &Announcer{
		files: files, by: by, open: func() (kernel, error) { return openKernel(answerTime) },
		claims: map[netip.Addr]*os.File{}, placed: map[netip.Addr]int{}, fell: map[int]bool{},
	}
}

// answerTime is how long the kernel may take for one answer.
const answerTime = 5 * time.Second

// Sync compares what is wanted with what the kernel says, and changes what differs: routes before addresses that come,
// addresses before routes that go, removal from one device before the other gets it. It returns a place for each address
// that is wanted, in this order. An address that was removed by hand comes back only with repair, or after it was
// wanted elsewhere. What of us is not wanted any more is withdrawn. The error says what could not be read, written or withdrawn; the rest
// is done. A Sync without a difference changes nothing. ctx ends it between two changes.
func (a *Announcer) Sync(ctx context.Context, want []Want, repair bool) ([]Place, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.readRecord(); err != nil {
		return nil, err
	}
	k, err := a.open()
	if err != nil {
		return nil, err
	}
	defer k.close()
	now, err := k.read()
	if err != nil {
		return nil, err
	}
	a.forgetFallen()
	all := append(slices.Clone(want), a.leftovers(want)...)
	known := maps.Clone(a.recorded)
	claims := a.claimAll(all)
	unsafe := a.writeRecord() // before the changes
	places := make([]Place, 0, len(want))
	var failed []error
	for i, w := range all {
		if ctx.Err() != nil {
			return places, fmt.Errorf("announcing addresses: %w", context.Cause(ctx))
		}
		s := settling{Announcer: a, kernel: k, now: now, Want: w, repair: repair, known: known[w.Addr], unsafe: cmp.Or(claims[i], unsafe)}
		s.settle()
		switch {
		case i < len(want):
			places = append(places, Place{w.Addr, s.at, s.trouble})
		case s.trouble == "" || errors.Is(s.unsafe, instance.ErrClaimed):
			a.release(w.Addr)
		default:
			failed = append(failed, fmt.Errorf("withdrawing %s, which left the file: %s", w.Addr, s.trouble))
		}
	}
	return places, errors.Join(append(failed, unsafe, a.writeRecord())...)
}

// claimAll returns why an address could not be claimed, for each, and records those that may come.
func (a *Announcer) claimAll(all []Want) (failed []error) {
	for _, w := range all {
		err := a.claim(w.Addr)
		if failed = append(failed, err); errors.Is(err, instance.ErrClaimed) {
			delete(a.recorded, w.Addr)
			delete(a.placed, w.Addr)
		} else if w.Undecided || w.Local || w.Device != "" {
			a.recorded[w.Addr] = union(a.recorded[w.Addr], w.Devices)
		}
	}
	return failed
}

// leftovers are the addresses of the record that nobody wants: the file lost them.
func (a *Announcer) leftovers(want []Want) (list []Want) {
	for addr, devices := range a.recorded {
		if !slices.ContainsFunc(want, func(w Want) bool { return w.Addr == addr }) {
			list = append(list, Want{Addr: addr, Devices: devices})
		}
	}
	slices.SortFunc(list, func(x, y Want) int { return x.Addr.Compare(y.Addr) })
	return list
}

// release gives up the claim on an address.
func (a *Announcer) release(addr netip.Addr) {
	if f := a.claims[addr]; f != nil {
		f.Close()
		delete(a.claims, addr)
	}
}

// Close gives up the claims. What is in the kernel stays.
func (a *Announcer) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for addr := range a.claims {
		a.release(addr)
	}
}
