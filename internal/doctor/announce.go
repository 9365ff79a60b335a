package doctor

// This file finds reasons why clients can't reach announced addresses.

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ldirectord/internal/announce"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/parser"
)

// Inspect finds problems with devices and addresses, see announce.Announcer.Inspect.
type Inspect func([]lvs.Wanted) ([]announce.Fault, error)

// Wanted returns the addresses that services announce, each with the devices that announce and lastresort name.
func Wanted(services []*plan.Service) (list []lvs.Wanted) {
	for _, s := range services {
		for _, addr := range s.Config.Announced() {
			if !slices.ContainsFunc(list, func(w lvs.Wanted) bool { return w.Addr == addr }) {
				list = append(list, lvs.Wanted{Addr: addr, Device: s.Config.Announce,
					Devices: devicesOf(s.Config)})
			}
		}
	}
	return list
}

func devicesOf(v *parser.Virtual) []string {
	return slices.DeleteFunc([]string{v.Announce, v.LastResort}, func(name string) bool { return name == "" })
}

func isAnnounced(s *plan.Service) bool { return len(s.Config.Announced()) > 0 }

// announcers are the routing daemons that may announce the addresses of a device.
var announcers = strings.Fields("bird bird6 bgpd gobgpd ospfd ospf6d isisd")

func announcerRuns() bool {
	names, _ := filepath.Glob("/proc/[0-9]*/comm")
	return slices.ContainsFunc(names, func(path string) bool {
		name, _ := os.ReadFile(path)
		return slices.Contains(announcers, strings.TrimSpace(string(name)))
	})
}

// client and client6 return addresses outside this network, for looking up the routes to clients.
func client() netip.Addr { return netip.MustParseAddr("198.51.100.1") }

func client6() netip.Addr { return netip.MustParseAddr("2001:db8:ffff::1") }

const bgpPort = 179

// routersHere returns the routers with which this machine has a BGP session.
func routersHere() (list []netip.Addr, err error) {
	err = eachSocket(stateEstablished, func(from, to netip.AddrPort) {
		if from.Port() == bgpPort || to.Port() == bgpPort {
			list = append(list, to.Addr())
		}
	})
	return list, err
}

// announced finds missing devices and other reasons why clients' packets don't reach IPVS.
func (x one) announced() {
	if !isAnnounced(x.Service) {
		return
	}
	for _, f := range x.faults {
		switch on := slices.Contains(devicesOf(x.Virtual), f.Device); {
		case !f.Addr.IsValid() && on:
			x.tell("announce-device", f.Text, f.Command)
		case f.Addr.IsValid() && (on || slices.Contains(x.Announced(), f.Addr.Addr())):
			x.tell("announce-address", f.Addr.Addr(), f.Device, f.Text, f.Command)
		}
	}
	out := x.route(client()).device
	for _, r := range x.routers {
		if in := x.route(r).device; r.Is4() && in != "" && out != "" && in != out &&
			x.deviceSetting(in, reversePath) == "1" {
			x.tell("announce-filter", in, r, out, ofDevice(in, reversePath))
		}
	}
	if !x.IPv6 && x.routes[routeQuery{client(), x.Mark}].local && x.deviceSetting(out, srcValidMark) == "1" {
		x.tell("announce-mark", markOf(x.Virtual))
	}
	if !x.announcer && len(x.routers) == 0 {
		x.tell("announce-daemon")
	}
}
