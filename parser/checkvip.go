package parser

import "net/netip"

// This file is about checks through the virtual address.

var checkVIP = field[Virtual]{read: readCheckVIP, get: func(v *Virtual) any { return v.checkVIP() }}

func readCheckVIP(virtual *Virtual, v *value) *problem {
	virtual.CheckVIP, virtual.checksVIP = netip.Addr{}, v.text == "yes"
	if v.text == "yes" || v.text == "no" {
		return nil
	}
	dest, p := v.section.destination(v.text)
	a := dest.Addr()
	switch {
	case p != nil:
		p.text += "; checkvip is no, yes or an address"
		return p
	case !dest.IsSingleIP() || a.IsMulticast():
		return bad("%s is not the address of one service; checkvip is no, yes or an address such as 192.0.2.10", quote(v.text))
	}
	virtual.CheckVIP = a
	return nil
}

// fillCheckVIP finds the address of checkvip=yes, and refuses what cannot be checked there.
func (r *reader) fillCheckVIP(v *Virtual, s *section) {
	at := s.order(wholeSection)
	for i := 0; v.checksVIP && !v.CheckVIP.IsValid() && i < len(v.Marking); i++ {
		if dest := v.Marking[i].Dest; dest.IsSingleIP() {
			v.CheckVIP = dest.Addr()
		}
	}
	if v.checksVIP && v.Mark == 0 {
		v.CheckVIP = v.Addr.Addr()
	}
	switch {
	case v.checksVIP && v.Mark > 0 && !v.CheckVIP.IsValid():
		r.error(at, incomplete, s.v.At["checkvip"], "checkvip=yes is under a mark, and no mark line has a single address; it is checkvip=ADDRESS")
	case v.CheckVIP.IsValid() && !v.mayCheckVIP():
		r.error(at, conflict, s.v.At["checkvip"], "checkvip is given with checktype=%s, %s; it is for connect (of tcp), negotiate and N", v.CheckType, whyNotVIP[v.CheckType])
	}
}

// whyNotVIP says why checks of a type do not reach a server through the virtual address.
var whyNotVIP = map[CheckType]string{
	Ping:         "but IPVS forwards no echo requests",
	Connect:      "which for udp is a ping, but IPVS forwards no echo requests",
	External:     "but sockets of a program cannot be marked for IPVS",
	ExternalPerl: "but sockets of a program cannot be marked for IPVS",
	On:           "which checks nothing",
	Off:          "which checks nothing",
}

func (v *Virtual) mayCheckVIP() bool {
	return whyNotVIP[v.CheckType] == "" || v.CheckType == Connect && v.Protocol != UDP
}

// checkVIP is the value as one would write it.
func (v *Virtual) checkVIP() string {
	switch {
	case v.checksVIP:
		return "yes"
	case v.CheckVIP.IsValid():
		return v.CheckVIP.String()
	}
	return "no"
}
