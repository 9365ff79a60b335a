package director

import (
	"net/netip"
	"slices"

	"ldirectord/checker"
	"ldirectord/ipvsctl"
	"ldirectord/lvs"
	"ldirectord/parser"
)

// This file turns the configuration of a virtual service into keys, settings and destinations of the table.

// Catches reports whether a mark rule of a section gives its mark to packets of another virtual service.
func Catches(cfg *parser.Virtual, other lvs.Key) bool {
	return slices.ContainsFunc(cfg.Marking, func(m parser.Marking) bool {
		return other.Addr.IsValid() && m.Catches(other.Addr, other.Protocol.String())
	})
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
