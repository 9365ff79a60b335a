package announce

import (
	"net/netip"
	"slices"
)

// state is what the kernel says.
type state struct {
	devices []device
	held    []holding
	local   []netip.Addr // those with a local route of our protocol
}

type device struct {
	name      string
	index     int
	up, dummy bool
}

// holding is one address on one device.
type holding struct {
	addr   netip.Addr
	bits   int // of its prefix
	device int // index
	marked bool
	alike  bool // it is as ours are, but a kernel before 5.18 keeps no protocol of an IPv6 address
}

// device is the one of this name, zero if there is none.
func (s state) device(name string) device {
	i := slices.IndexFunc(s.devices, func(d device) bool { return d.name == name })
	if i < 0 {
		return device{}
	}
	return s.devices[i]
}

// name is that of the device with this index, "" if there is none.
func (s state) name(index int) string {
	i := slices.IndexFunc(s.devices, func(d device) bool { return d.index == index })
	if i < 0 {
		return ""
	}
	return s.devices[i].name
}

// kernel is what is asked of rtnetlink(7). A step that is done already is no error.
type kernel interface {
	read() (state, error)
	do(step) error
	close()
}

// step is one change.
type step struct {
	what   what
	addr   netip.Addr
	bits   int // of the prefix of an address
	device device
}

type what string

const (
	putRoute    what = "adding the local route of"
	putAddress  what = "announcing"
	takeAddress what = "withdrawing"
	takeRoute   what = "removing the local route of"
)
