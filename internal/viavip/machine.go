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
)

// machine has the addresses of this machine.
type machine struct {
	devices map[netip.Addr]net.Interface
	byIndex map[int]net.Interface
	read    time.Time
}

// at is what is known at a time or later.
func (m *machine) at(when time.Time) *machine {
	if !m.read.Before(when) {
		return m
	}
	m.read, m.devices, m.byIndex = time.Now(), map[netip.Addr]net.Interface{}, map[int]net.Interface{}
	all, _ := net.Interfaces() // without them nothing is known to be here, and a failure counts less
	for _, i := range all {
		m.byIndex[i.Index] = i
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				here := i
				if _, twice := m.devices[p.Addr()]; twice {
					here.Name = "" // which of the two counts is not known
				}
				m.devices[p.Addr()] = here
			}
		}
	}
	return m
}

// towards is the address of this machine that the kernel takes towards another one, and the device. Nothing is sent.
func towards(to netip.Addr) (source netip.Addr, device int, err error) {
	routes, err := netlink.RouteGet(to.AsSlice())
	if err != nil || len(routes) == 0 {
		return source, 0, cmp.Or(err, error(syscall.ENETUNREACH))
	}
	source, _ = netip.AddrFromSlice(routes[0].Src)
	return source.Unmap(), routes[0].LinkIndex, nil
}

// kernel reads the facts, at a time or later, that decide whether an answer from a virtual address comes back.
func (m *machine) kernel(virtual, server netip.Addr, when time.Time) Kernel {
	_, in, _ := towards(server)
	_, to, _ := towards(virtual)
	home, local := m.at(when).devices[virtual]
	if !local {
		home = m.byIndex[to]
	}
	k := Kernel{Device: m.byIndex[in].Name, Local: local}
	k.Same = home.Name == k.Device
	k.Strict = max(sysctl("all", "rp_filter"), sysctl(k.Device, "rp_filter")) == "1"
	k.AcceptLocal = max(sysctl("all", "accept_local"), sysctl(k.Device, "accept_local")) == "1"
	return k
}

// sysctl is a setting of a device; "" where it can't be read.
func sysctl(device, name string) string {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/conf/" + device + "/" + name)
	return strings.TrimSpace(string(text))
}
