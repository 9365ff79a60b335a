package through

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// machine is what is known of the addresses of this machine.
type machine struct {
	devices map[netip.Addr]net.Interface
	read    time.Time
}

// at is the device of each address, at a time or later.
func (m *machine) at(when time.Time) map[netip.Addr]net.Interface {
	if !m.read.Before(when) {
		return m.devices
	}
	m.read, m.devices = time.Now(), map[netip.Addr]net.Interface{}
	all, _ := net.Interfaces() // without them nothing is known to be here, and a failure counts less
	for _, i := range all {
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
	return m.devices
}

// towards is the address of this machine that the kernel takes towards another one. Nothing is sent.
func towards(to netip.Addr) (netip.Addr, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), nil
}

// kernel reads what decides, at a time or later, whether an answer of a virtual address comes back to a source.
func (m *machine) kernel(virtual, source netip.Addr, when time.Time) Kernel {
	devices := m.at(when)
	k := Kernel{Device: devices[source].Name}
	if _, k.Local = devices[virtual]; !k.Local {
		var err error
		virtual, err = towards(virtual)
		k.NoRoute = err != nil
	}
	k.Same = devices[virtual].Name == k.Device
	k.Strict = max(sysctl("all", "rp_filter"), sysctl(k.Device, "rp_filter")) == "1"
	k.AcceptLocal = max(sysctl("all", "accept_local"), sysctl(k.Device, "accept_local")) == "1"
	return k
}

// sysctl is a setting of a device; "" where it can't be read.
func sysctl(device, name string) string {
	text, _ := os.ReadFile("/proc/sys/net/ipv4/conf/" + device + "/" + name)
	return strings.TrimSpace(string(text))
}
