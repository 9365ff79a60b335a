package announce

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var errKilled = errors.New("killed")

// fake is a kernel in memory.
type fake struct {
	links  []*netlink.Dummy
	held   []netlink.Addr
	local  []netip.Addr
	steps  []string // those that changed something
	refuse string   // steps that begin like this fail
	torn   int      // how many more lists change while they are read
	killAt int      // this step and all after it are not done, as if the daemon was killed; 0: none

	records map[string]Record     // of each file
	daemons map[string]*Announcer // the last one of each file
}

func newFake() *fake {
	f := &fake{records: map[string]Record{}, daemons: map[string]*Announcer{}}
	for _, name := range []string{"lo", "lvs0", "lvs1", "eth0"} {
		f.set(name, true)
	}
	return f
}

func (f *fake) Close() {}

func (f *fake) LinkList() (list []netlink.Link, _ error) {
	for _, l := range f.links {
		if l.Name == "lo" || l.Name == "eth0" {
			list = append(list, &netlink.Device{LinkAttrs: l.LinkAttrs})
			continue
		}
		list = append(list, l)
	}
	return list, nil
}

func (f *fake) AddrList(netlink.Link, int) ([]netlink.Addr, error) {
	if f.torn--; f.torn >= 0 {
		return nil, netlink.ErrDumpInterrupted
	}
	return slices.Clone(f.held), nil
}

func (f *fake) RouteListFiltered(int, *netlink.Route, uint64) (list []netlink.Route, _ error) {
	for _, addr := range f.local {
		list = append(list, netlink.Route{Dst: single(addr)})
	}
	return list, nil
}

// step makes one change, unless it must fail.
func (f *fake) step(what string, a any, do func()) error {
	f.steps = append(f.steps, fmt.Sprint(what, " ", a))
	if f.refuse == what || f.killAt > 0 && len(f.steps) >= f.killAt {
		return errKilled
	}
	do()
	return nil
}

func (f *fake) RouteAppend(r *netlink.Route) error {
	addr := prefixOf(r.Dst).Addr()
	if slices.Contains(f.local, addr) {
		return unix.EEXIST
	}
	return f.step("+route", addr, func() { f.local = append(f.local, addr) })
}

func (f *fake) RouteDel(r *netlink.Route) error {
	addr := prefixOf(r.Dst).Addr()
	i := slices.Index(f.local, addr)
	if i < 0 {
		return unix.ESRCH
	}
	return f.step("-route", addr, func() { f.local = slices.Delete(f.local, i, i+1) })
}

func (f *fake) AddrAdd(_ netlink.Link, a *netlink.Addr) error {
	if !slices.Contains(f.local, prefixOf(a.IPNet).Addr()) {
		return errors.New("announced before it is served")
	}
	if slices.ContainsFunc(f.held, f.same(*a)) {
		return unix.EEXIST
	}
	return f.step("+addr", f.text(*a), func() { f.held = append(f.held, *a) })
}

func (f *fake) AddrDel(_ netlink.Link, a *netlink.Addr) error {
	if !slices.ContainsFunc(f.held, f.same(*a)) {
		return unix.EADDRNOTAVAIL
	}
	return f.step("-addr", f.text(*a), func() { f.held = slices.DeleteFunc(f.held, f.same(*a)) })
}

func (f *fake) same(a netlink.Addr) func(netlink.Addr) bool {
	return func(b netlink.Addr) bool { return a.LinkIndex == b.LinkIndex && a.IP.Equal(b.IP) }
}

func (f *fake) text(a netlink.Addr) string {
	for _, l := range f.links {
		if l.Index == a.LinkIndex {
			return fmt.Sprint(a.IP, " ", l.Name)
		}
	}
	return ""
}

// link is the device of this name, or nil.
func (f *fake) link(name string) *netlink.Dummy {
	for _, l := range f.links {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// set makes a device, or sets it up or down.
func (f *fake) set(name string, up bool) {
	if f.link(name) == nil {
		next := 1
		for _, l := range f.links {
			next = max(next, l.Index+1)
		}
		f.links = append(f.links, &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: name, Index: next}})
	}
	if f.link(name).Flags = 0; up {
		f.link(name).Flags = net.FlagUp
	}
}

// drop removes the addresses of a device that the function selects, or all.
func (f *fake) drop(name string, which func(netip.Addr) bool) {
	index := f.link(name).Index
	f.held = slices.DeleteFunc(f.held, func(a netlink.Addr) bool {
		return a.LinkIndex == index &&
			which(prefixOf(a.IPNet).Addr())
	})
}

// byHand puts an address on a device as an operator does.
func (f *fake) byHand(addr netip.Addr, name string) {
	f.held = append(f.held, netlink.Addr{IPNet: single(addr), LinkIndex: f.link(name).Index, Label: name,
		ValidLft: forever, PreferedLft: forever})
}

// on is the list of addresses on a device.
func (f *fake) on(name string) (addrs []string) {
	for _, a := range f.held {
		if l := f.link(name); l != nil && l.Index == a.LinkIndex {
			addrs = append(addrs, prefixOf(a.IPNet).Addr().String())
		}
	}
	return addrs
}

// announcer is the announcer of a file's next daemon.
func (f *fake) announcer(t *testing.T, file string) *Announcer {
	t.Helper()
	save := func(r Record) error {
		f.records[file] = maps.Clone(r)
		return nil
	}
	a := New(f.records[file], claimsOf(file, f.daemons, f.records), save)
	a.open = func() (kernel, error) { return f, nil }
	f.daemons[file] = a
	return a
}

// claimsOf are the addresses of other files' daemons, from their records.
func claimsOf(file string, daemons map[string]*Announcer, records map[string]Record) Claims {
	return func(context.Context) (foreign map[netip.Addr]string, release func()) {
		foreign = map[netip.Addr]string{}
		for other, a := range daemons {
			for addr := range records[other] {
				if other != file && a.claims != nil {
					foreign[addr] = other + ", pid 7"
				}
			}
		}
		return foreign, func() {}
	}
}

// kill gives up a daemon's claims, as the end of its process does.
func kill(a *Announcer) { a.claims = nil }
