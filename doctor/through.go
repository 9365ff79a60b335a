package doctor

// What is wrong with the way of checks through a virtual address, from this machine to a server and back.

import (
	"fmt"
	"net/netip"
	"slices"

	"ldirectord/director"
	"ldirectord/ipvsctl"
)

// through: where checks through a virtual address can't be judged, servers are checked at their own addresses.
func (e *examination) through(s director.Service) {
	vip := s.Config.CheckVIP
	for _, m := range s.Members {
		r := e.routeTo(m)
		if !vip.IsValid() || !isThrough(m) || r.local || r.device == "" {
			continue
		}
		e.leaves(s, vip, r)
		if vip.Is4() {
			e.returns(s, vip, r.device)
		}
	}
}

// isThrough reports whether clients reach a server at the virtual address itself.
func isThrough(m director.Member) bool { return m.Dest.Forward != ipvsctl.Masq && !m.Fallback }

// leaves: the kernel looks for a route to the virtual address before it asks IPVS, and answers must find this machine.
func (e *examination) leaves(s director.Service, vip netip.Addr, toServer route) {
	if r, known := e.routes[routeQuery{to: vip}]; known && r == (route{}) {
		e.report(s, Finding{
			Severity: broken, Kind: "check-route", at: s.Config.At["checkvip"], Command: fmt.Sprintf("ip route add %s dev %s", single(vip), toServer.device),
			Text: fmt.Sprintf("this machine has no route to the virtual address %s, so no check through it leaves; any route will do", vip),
		})
	}
	if e.isVirtual(toServer.source) {
		e.report(s, Finding{
			Severity: broken, Kind: "check-source", at: s.Config.At["checkvip"],
			Text: fmt.Sprintf("this machine sends to its servers on %s from the virtual address %s, where answers don't find it; give %[1]s an address of its own in their network",
				toServer.device, toServer.source),
		})
	}
}

func (e *examination) isVirtual(addr netip.Addr) bool {
	return slices.ContainsFunc(e.services, func(s director.Service) bool {
		return s.Config.CheckVIP == addr && addr.IsValid() || slices.ContainsFunc(s.Config.Addresses(), func(p netip.Prefix) bool { return p.IsSingleIP() && p.Addr() == addr })
	})
}

// returns: answers come from the virtual address, which the kernel drops by default on a machine that has it. A director
// that stands by will have it.
func (e *examination) returns(s director.Service, vip netip.Addr, device string) {
	if e.deviceSetting(device, acceptLocal) == "0" {
		e.report(s, Finding{
			Severity: broken, Kind: "check-martian", Command: set(ofDevice(device, acceptLocal), "1"), at: s.Config.At["checkvip"],
			Text: fmt.Sprintf("answers to checks through %s, which come from that address by %s, are dropped where this machine has it, so its servers are checked at their own addresses (accept_local)", vip, device),
		})
	}
	if e.deviceSetting(device, reversePath) == "1" && e.homeOf(vip) != device {
		e.report(s, Finding{
			Severity: broken, Kind: "check-filter", Command: set(ofDevice(device, reversePath), "2"), at: s.Config.At["checkvip"],
			Text: fmt.Sprintf("answers to checks through %s, which come by %s, are dropped: the address is on another interface, or the route to it leads there (rp_filter)", vip, device),
		})
	}
}

// homeOf is the interface that has an address, or by which it is reached.
func (e *examination) homeOf(addr netip.Addr) string {
	for _, d := range e.devices {
		if slices.ContainsFunc(d.prefixes, func(p netip.Prefix) bool { return p.Addr() == addr }) {
			return d.Name
		}
	}
	return e.routes[routeQuery{to: addr}].device
}
