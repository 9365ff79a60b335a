package director

import (
	"net/netip"
	"slices"
	"strconv"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/parser"
)

// This file turns the configuration of a virtual service into keys, settings and destinations of the table.

// keyName is how the log names a virtual service: address:port, or the mark.
func keyName(k lvs.Key) string {
	if k.Protocol == lvs.Mark {
		return strconv.FormatUint(uint64(k.Mark), 10)
	}
	return k.Addr.String()
}

// KeyID is the parser's id of a virtual service.
func KeyID(k lvs.Key) string {
	kind := k.Protocol.String()
	if k.Protocol == lvs.Mark {
		kind = "fwm"
		if k.IPv6 {
			kind = "fwm6"
		}
	}
	return kind + ":" + keyName(k)
}

// Catches reports whether a mark rule of a section gives its mark to packets of another virtual service.
func Catches(cfg *parser.Virtual, other lvs.Key) bool {
	return slices.ContainsFunc(cfg.Marking, func(m parser.Marking) bool {
		return other.Addr.IsValid() && m.Catches(other.Addr, other.Protocol.String())
	})
}

// KeyOf is the virtual service of a section in the table.
func KeyOf(cfg *parser.Virtual) lvs.Key {
	if cfg.Protocol == parser.FWM {
		return lvs.Key{Protocol: lvs.Mark, Mark: cfg.Mark, IPv6: cfg.IPv6}
	}
	proto := lvs.TCP
	if cfg.Protocol == parser.UDP {
		proto = lvs.UDP
	}
	return lvs.Key{Protocol: proto, Addr: cfg.Addr, IPv6: cfg.IPv6}
}

func settingsOf(cfg *parser.Virtual) (ipvsctl.Settings, error) {
	s := ipvsctl.Settings{Scheduler: cfg.Scheduler, Netmask: ipvsctl.EachClient(cfg.IPv6)}
	if cfg.SchedFlags != "" {
		flags, err := ipvsctl.ParseSchedFlags(cfg.Scheduler, cfg.SchedFlags)
		if err != nil {
			return s, &checker.SpecError{Directive: "schedflags", Err: err}
		}
		s.Flags |= flags
	}
	if cfg.OnePacket && cfg.Protocol == parser.UDP {
		s.Flags |= ipvsctl.OnePacket
	}
	if cfg.Persistent <= 0 {
		return s, nil
	}
	s.Flags |= ipvsctl.Persistent
	s.Timeout = uint32(min(cfg.Persistent, ipvsctl.MaxTimeout))
	s.PEName = cfg.PEName
	if cfg.Netmask != (parser.Netmask{}) {
		s.Netmask = cfg.Netmask.Bits
	}
	return s, nil
}

// destOf is a server in the table.
func destOf(cfg *parser.Virtual, addr netip.AddrPort, f parser.Forward, weight int) lvs.Dest {
	return lvs.Dest{Addr: cfg.EntryOf(addr, f), Forward: forwardOf(f), Weight: uint32(weight)}
}

func forwardOf(f parser.Forward) lvs.Forward {
	switch f {
	case parser.Masq:
		return lvs.Masq
	case parser.IPIP:
		return lvs.Tunnel
	default:
		return lvs.Route
	}
}
