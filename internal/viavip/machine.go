package viavip

import (
	"cmp"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// machine holds the addresses and devices of this machine.
type machine struct {
	devices map[netip.Addr]net.Interface
	byIndex map[int]net.Interface
	read    time.Time
}

// at returns the addresses. It reads them again if they were last read before the given time.
func (m *machine) at(when time.Time) *machine {
	if !m.read.Before(when) {
		return m
	}
	m.read, m.devices, m.byIndex = time.Now(), map[netip.Addr]net.Interface{}, map[int]net.Interface{}
	all, _ := net.Interfaces() // without them a failure counts even if rp_filter drops the answer
	addrs := Addresses()
	for _, i := range all {
		m.byIndex[i.Index] = i
		for _, p := range addrs[i.Index] {
			here := i
			if _, twice := m.devices[p.Addr()]; twice {
				here.Name = "" // several devices have the address; it is unknown which one applies
			}
			m.devices[p.Addr()] = here
		}
	}
	return m
}

// Address is an address of this machine, with its network.
type Address struct {
	netip.Prefix
	Failed bool // another machine has it, so the kernel does not use it (dadfailed)
}

// Addresses returns the addresses of this machine, by device index. It asks the kernel once: net.Interface.Addrs would
// read all addresses again for each device.
func Addresses() map[int][]Address {
	list, _ := netlink.AddrList(nil, netlink.FAMILY_ALL) // after an error, the addresses that could be read
	on := map[int][]Address{}
	for _, a := range list {
		on[a.LinkIndex] = append(on[a.LinkIndex], addressOf(a))
	}
	return on
}

func addressOf(a netlink.Addr) Address {
	addr, _ := netip.AddrFromSlice(a.IP)
	bits, _ := cmp.Or(a.Peer, a.IPNet).Mask.Size()
	return Address{netip.PrefixFrom(addr, bits), a.Flags&unix.IFA_F_DADFAILED != 0}
}

// towards returns the kernel's route to an address. It sends nothing.
func towards(to netip.Addr) (netlink.Route, error) {
	routes, err := netlink.RouteGet(to.AsSlice())
	if err != nil || len(routes) == 0 {
		return netlink.Route{}, cmp.Or(err, error(syscall.ENETUNREACH))
	}
	return routes[0], nil
}

// kernel returns the facts, read at the given time or later, that decide whether an answer from a virtual address comes
// back.
func (m *machine) kernel(virtual, server netip.Addr, when time.Time) Kernel {
	in, _ := towards(server)
	to, _ := towards(virtual)
	home, isOn := m.at(when).devices[virtual]
	if !isOn {
		home = m.byIndex[to.LinkIndex]
	}
	// An address to announce has a local route before it is on a device. Packets from this machine itself always
	// arrive.
	isLocal := to.Type == unix.RTN_LOCAL && in.Type != unix.RTN_LOCAL
	k := Kernel{Device: m.byIndex[in.LinkIndex].Name, Local: isOn || isLocal}
	k.Same = home.Name == k.Device
	k.Strict = max(sysctl("all", "rp_filter"), sysctl(k.Device, "rp_filter")) == "1"
	k.AcceptLocal = max(sysctl("all", "accept_local"), sysctl(k.Device, "accept_local")) == "1"
	return k
}

// sysctl returns a setting of a device; "" if it can't be read.
func sysctl(device, name string) string {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/conf/" + device + "/" + name)
	return strings.TrimSpace(string(text))
}
