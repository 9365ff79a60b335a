package parser

import (
	"net/netip"
	"slices"

	"ldirectord/lvs"
)

// This file reads the directive for checks through the virtual address.

func readCheckVIP(v *value) string {
	if v.text == "yes" || v.text == "no" {
		return v.text
	}
	dest := v.destination(v.text)
	switch {
	case v.problem != nil:
		v.problem.text += "; checkvip is no, yes or an address"
	case !dest.IsSingleIP() || dest.Addr().IsMulticast():
		v.bad("is not the address of one service; checkvip is no, yes or an address such as 192.0.2.10")
	}
	return dest.Addr().String()
}

// fillCheckVIP finds the virtual address for checks, and refuses checks that can't go through it.
func (f finder) fillCheckVIP(v *Virtual) {
	switch v.WrittenVIP {
	case "no":
		return
	case "yes":
		for _, p := range slices.Backward(v.Addresses()) {
			if p.IsSingleIP() {
				v.CheckVIP = p.Addr()
			}
		}
	default:
		v.CheckVIP = netip.MustParseAddr(v.WrittenVIP)
	}
	pos := v.At["checkvip"]
	if v.hasHeader() && !v.CheckVIP.IsValid() {
		f.error(incomplete, pos,
			"checkvip=yes is under a mark, and no mark line has a single address; write checkvip=ADDRESS")
	}
	if v.CheckVIP.IsLoopback() {
		f.error(badValue, pos,
			"checkvip leads to %s, which never leaves this machine; "+
				"it must be an address that clients can reach", v.CheckVIP)
	}
	if why := v.WhyNotVIP(); why != "" {
		f.error(conflict, pos,
			"checkvip is given with checktype=%s, but %s; checkvip is for connect (of tcp), negotiate "+
				"and N",
			v.CheckType, why)
	}
}

// Pings reports whether the check of a section is a ping. That includes connect with UDP, because to connect a UDP
// socket shows nothing about the server.
func (v *Virtual) Pings() bool {
	return v.CheckType == Ping || v.CheckType == Connect && v.Protocol == lvs.UDP
}

// WhyNotVIP is why the check of a section does not go through the virtual address; "" if it does.
func (v *Virtual) WhyNotVIP() string {
	switch {
	case v.runsCommand():
		return "sockets of a program cannot be marked for IPVS"
	case v.Pings():
		return "IPVS forwards no echo requests"
	case v.checksNothing():
		return "that checks nothing"
	}
	return ""
}
