package announce

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"ldirectord/instance"
)

var errKilled = errors.New("killed")

// fake is a kernel in memory.
type fake struct {
	state
	old    bool // it keeps no protocol of IPv6 addresses
	steps  []string
	refuse what // it does no such step
	killAt int  // the step that is not done any more, nor any after it; 0: none
}

func newFake() *fake {
	return &fake{state: state{devices: []device{{"lo", 1, true, false}, {"lvs0", 2, true, true}, {"lvs1", 3, true, true}, {"eth0", 4, true, false}}}}
}

func (f *fake) read() (state, error) {
	return state{slices.Clone(f.devices), slices.Clone(f.held), slices.Clone(f.local)}, nil
}

func (f *fake) close() {}

func (f *fake) do(s step) error {
	f.steps = append(f.steps, f.text(s))
	if s.what == f.refuse || f.killAt > 0 && len(f.steps) >= f.killAt {
		return errKilled
	}
	at := func(h holding) bool { return h.addr == s.addr && h.device == s.device.index }
	switch s.what {
	case putRoute:
		f.local = append(f.local, s.addr)
	case takeRoute:
		f.local = slices.DeleteFunc(f.local, func(a netip.Addr) bool { return a == s.addr })
	case putAddress:
		if !f.serves(s.addr) {
			return errors.New("announced before it is served")
		}
		if slices.ContainsFunc(f.held, at) {
			return errors.New("file exists")
		}
		f.held = append(f.held, holding{s.addr, s.bits, s.device.index, s.addr.Is4() || !f.old, s.addr.Is6()})
	case takeAddress:
		f.held = slices.DeleteFunc(f.held, at)
	}
	return nil
}

func (f *fake) serves(addr netip.Addr) bool { return slices.Contains(f.local, addr) }

func (f *fake) text(s step) string {
	words := map[what]string{putRoute: "+route", takeRoute: "-route", putAddress: "+addr", takeAddress: "-addr"}
	text := fmt.Sprintf("%s %s", words[s.what], s.addr)
	if s.what == putAddress || s.what == takeAddress {
		text += " " + f.name(s.device.index)
	}
	return text
}

// set changes a device.
func (f *fake) set(name string, change func(*device)) {
	i := slices.IndexFunc(f.devices, func(d device) bool { return d.name == name })
	if i < 0 {
		f.devices = append(f.devices, device{name: name, index: 100 + len(f.devices), dummy: true})
		i = len(f.devices) - 1
	}
	change(&f.devices[i])
}

// drop removes what is on a device: everything, or what the function says.
func (f *fake) drop(name string, which func(holding) bool) {
	index := f.device(name).index
	f.held = slices.DeleteFunc(f.held, func(h holding) bool { return h.device == index && which(h) })
}

// on are the addresses on a device.
func (f *fake) on(name string) (addrs []string) {
	for _, h := range f.held {
		if f.name(h.device) == name {
			addrs = append(addrs, h.addr.String())
		}
	}
	return addrs
}

// announcer is that of a file in a run folder.
func announcer(t *testing.T, dir, file string, k kernel) *Announcer {
	t.Helper()
	by := instance.Daemon{Path: "/etc/ha.d/" + file, Table: instance.Kernel, NetNS: 1}
	a := New(instance.New(dir, by, file).Files(), by)
	a.open = func() (kernel, error) { return k, nil }
	t.Cleanup(a.Close)
	return a
}
