package doctor

// This file finds out whether clients reach real servers at the virtual address, and why checks there can't be judged.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ldirectord/checker"
	"ldirectord/internal/lvs"
	"ldirectord/internal/plan"
	"ldirectord/internal/printable"
	throughIPVS "ldirectord/internal/viavip"
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// Reach makes each of these checks once. They go through virtual addresses.
type Reach func(context.Context, []checker.Spec) (Reached, error)

// Reached contains the results of checks through virtual addresses.
type Reached map[checker.Spec]checker.Result

// isThrough reports whether m is a real server that clients' packets reach with the virtual address as destination.
func isThrough(m *plan.Entry) bool { return !isMasq(m) && !m.Fallback }

// waysOf returns a TCP check for each of a virtual service's real servers with forwarding method gate or ipip. The
// checks go through one of the service's addresses.
func waysOf(s *plan.Service) (list []checker.Spec) {
	to := asked(s.Config)
	if len(to) == 0 {
		return nil
	}
	virtual := cmp.Or(s.Config.CheckVIP, to[0].Addr())
	for _, m := range s.Entries {
		if !isThrough(m) {
			continue
		}
		way := checker.Through{Virtual: virtual, Server: addressOf(m), Forward: m.Dest.Forward}
		list = append(list, checker.Spec{
			Type: parser.Connect, Protocol: lvs.TCP.String(), Through: way,
			Timeout: 2 * probeTime, // the kernel sends a lost segment again after a second
			Target:  netip.AddrPortFrom(way.Server, to[0].Port()),
		})
	}
	return list
}

// waysToReach returns the checks that reachable makes.
func (f *facts) waysToReach() (list []checker.Spec) {
	if f.daemon.Reach == nil || f.noIPVS.Kind != "" {
		return nil
	}
	for _, s := range f.services {
		list = append(list, waysOf(s)...)
	}
	return limited(f, "real servers at the virtual addresses", list)
}

// reachable makes the checks. If one is not possible, the error gives the reason.
func reachable(ctx context.Context, reach Reach, ways []checker.Spec) (Reached, error) {
	answers, err := reach(ctx, ways)
	for _, way := range ways {
		if r := answers[way]; r.OK && r.Way == checker.WayVoid {
			return answers, errors.New(r.Warning)
		}
	}
	return answers, err
}

// reaches finds servers that give clients nothing because they do not answer at the virtual address.
func (x one) reaches() {
	var silent []checker.Spec
	answered := false
	for _, way := range waysOf(x.Service) {
		r := x.reached[way]
		if !r.OK && r.OwnAnswers {
			silent = append(silent, way)
		}
		answered = answered || r.Way == checker.WayThrough && r.Cause != checker.Timeout
		why := cmp.Or(r.Warning, r.Detail)
		if r.Way == checker.WayVoid && strings.Contains(why, throughIPVS.Astray) {
			x.tell("check-mark", why, fmt.Sprintf("%#x/%#x", ipvsctl.FirstPrivate, reserved))
		}
	}
	if len(silent) == 0 {
		return
	}
	vip := silent[0].Through.Virtual
	if !answered && vip.Is6() && x.marks != nil && len(x.marks.Filters) > 0 {
		for _, pass := range x.marks.Filters {
			x.tell("check-filter firewall", vip, fmt.Sprintf(pass, vip))
		}
		return
	}
	// conntrack is in use for firewall rules, but does not know the connections of IPVS
	tracked := cmp.Or(x.settings[connections], "0") != "0"
	if tracked && !answered && x.settings[vsConntrack] != "1" {
		x.tell("check-firewall", vip)
		if len(silent) > 1 {
			return
		}
	}
	for _, way := range silent {
		server := way.Through.Server
		at := netip.AddrPortFrom(vip, way.Target.Port())
		x.tell("server-vip", server, at, x.reached[way].Cause, x.setUp(server))
	}
}

// setUp returns the command that sets up the virtual addresses on a real server.
func (e *examination) setUp(server netip.Addr) string {
	return fmt.Sprintf("ldirectord %s realserver-script %s | ssh root@%s sh -s start", printable.ShellWord(e.path),
		server, server)
}

// through finds what prevents checks through the virtual address. The kernel needs a route to that address before IPVS
// gets the packet. The answers must reach this machine. They come from the virtual address, which an active director
// has itself, and by default the kernel drops packets from the machine's own addresses. Without checkvip, only doctor
// makes such checks, and only on the machine that has the address now.
func (x one) through() {
	vip, unchecked := x.CheckVIP, "" // unchecked ends the names of findings without checkvip
	checked := vip.IsValid()
	here := checked
	if checked {
		x.routed(vip.Is6(), x.private...)
		x.opened()
	} else if all := x.Addresses(); len(all) > 0 {
		vip, unchecked = all[0].Addr(), " unchecked"
		here = x.daemon.Reach != nil && len(waysOf(x.Service)) > 0 && x.ends(single(vip))
	}
	here = here && vip.Is4()
	there, known := x.routes[routeQuery{to: vip}]
	out := x.route(client())
	for _, m := range x.Entries {
		r := x.routeTo(m)
		if !isThrough(m) || r.local || r.device == "" || !vip.IsValid() {
			continue
		}
		if checked && known && there == (route{}) {
			name := "check-route"
			if slices.Contains(x.Announced(), vip) {
				name = "check-route announced"
			}
			x.tell(name, vip, single(vip), r.device)
		}
		switch {
		case r.source != vip:
		case vip.Is6():
			x.tell("check-source IPv6", r.device, vip, single(vip), x.homeOf(vip))
		default:
			x.tell("check-source", r.device, vip)
		}
		if out.gateway && out.source == vip {
			x.tell("check-source gateway", out.device, vip)
		}
		martian, filtered := throughIPVS.Kernel{
			Local: true, AcceptLocal: x.deviceSetting(r.device, acceptLocal) != "0",
			Strict: x.deviceSetting(r.device, reversePath) == "1", Same: x.homeOf(vip) == r.device,
		}.Drops()
		if here && martian {
			x.tell("check-martian"+unchecked, vip, r.device, ofDevice(r.device, acceptLocal))
		}
		if here && filtered {
			x.tell("check-filter"+unchecked, vip, r.device, ofDevice(r.device, reversePath))
		}
	}
}

// reserved is the mask of the bits that the marks of private services have in common.
const reserved = ^(ipvsctl.FirstPrivate ^ ipvsctl.LastPrivate)

// opened finds rules that set marks of private services. A packet from outside with such a mark could reach any port of
// a real server.
func (x one) opened() {
	if x.marks == nil {
		return
	}
	for _, r := range x.marks.Settings {
		if r.Reaches(ipvsctl.FirstPrivate, reserved, x.CheckVIP.Is6()) {
			x.tell("mark-reserved", r, fmt.Sprintf("%#x to %#x", ipvsctl.FirstPrivate, ipvsctl.LastPrivate))
		}
	}
}

// unseen recommends checkvip if the file does not contain it.
func (e *examination) unseen() {
	isUnseen := func(s *plan.Service) bool { return s.Config.WhyNotVIP() == "" && len(waysOf(s)) > 0 }
	isChosen := func(s *plan.Service) bool { return s.Config.At["checkvip"].Line > 0 }
	if i := slices.IndexFunc(e.services, isUnseen); i >= 0 && !slices.ContainsFunc(e.services, isChosen) {
		e.of(e.services[i]).tell("no-checkvip")
	}
}

// left finds private services that belong to no running daemon with a known run folder. If a service is recorded, the
// next daemon for its file removes it.
func (e *examination) left() {
	left := slices.DeleteFunc(slices.Clone(e.private), func(mark uint32) bool { return e.daemon.Private[mark] })
	if len(left) == 0 || len(e.services) == 0 {
		return
	}
	marks := strings.Trim(fmt.Sprint(left), "[]")
	const remove = "for mark in %s; do ipvsadm -D -f $mark 2>/dev/null || ipvsadm -D -f $mark -6; done"
	e.of(e.services[0]).tell("check-left", marks, fmt.Sprintf(remove, marks))
}

// homeOf returns the interface that has an address. If there is none, it returns the interface of the route to the
// address.
func (e *examination) homeOf(addr netip.Addr) string {
	for _, d := range e.devices {
		if d.has(single(addr)) {
			return d.Name
		}
	}
	return e.route(addr).device
}
