package parser

import (
	"net/netip"
	"slices"
)

// This file reads the directive for checks through the virtual address.

func readCheckVIP(v *value) string {
	if v.text == "yes" || v.text == "no" {
		return v.text
	}
	dest := v.destination(v.text)
	switch {
	case v.problem != nil:
		v.problem.Text += "; checkvip is no, yes or an address"
	case !dest.IsSingleIP() || dest.Addr().IsMulticast():
		v.bad("is not the address of one service; checkvip is no, yes or an address such as 192.0.2.10")
	}
	return dest.Addr().String()
}

// fillCheckVIP determines the virtual address for checks, and refuses checks that can't go through it.
func (a adviser) fillCheckVIP() {
	switch a.WrittenVIP {
	case "no":
		return
	case "yes":
		for _, p := range slices.Backward(a.Addresses()) {
			if p.IsSingleIP() {
				a.CheckVIP = p.Addr()
			}
		}
	default:
		a.CheckVIP = netip.MustParseAddr(a.WrittenVIP)
	}
	if a.hasHeader() && !a.CheckVIP.IsValid() {
		a.refuse("checkvip", incomplete,
			"checkvip=yes is under a mark, and no mark line has a single address; write checkvip=ADDRESS")
	}
	if a.CheckVIP.IsLoopback() {
		a.refuse("checkvip", badValue,
			"checkvip uses %s, which is reachable only on this machine; "+
				"it must be an address that clients can reach", a.CheckVIP)
	}
	if why := a.WhyNotVIP(); why != "" {
		a.refuse("checkvip", conflict,
			"checkvip is given with checktype=%s, but %s; checkvip is for connect with TCP, negotiate "+
				"and N",
			a.CheckType, why)
	}
}

// WhyNotVIP returns the reason why the check of a section does not go through the virtual address, or "" if it does.
func (v *Virtual) WhyNotVIP() string {
	switch {
	case v.runsCommand():
		return "sockets of a program cannot be marked for IPVS"
	case !v.Origin.IsUsual():
		return "checksource, checkdevice or checkmark choose another path"
	case v.Pings(), v.PingsTheSilent():
		return "IPVS forwards no echo requests"
	case v.checksNothing():
		return "that checks nothing"
	}
	return ""
}
