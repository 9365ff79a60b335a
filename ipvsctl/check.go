package ipvsctl

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"syscall"

	"ldirectord/internal/lvs"
)

// Check refuses changes with values that ipvsadm or the kernel refuses, or that the kernel would misread. Thus the
// kernel's table and Memory refuse the same changes. Its errors wrap EINVAL or ERANGE.
func Check(op lvs.Op) error {
	if op.Kind > lvs.DelDest {
		return invalid("unknown operation")
	}
	err := checkKey(op.Key)
	switch op.Kind {
	case lvs.AddService, lvs.EditService:
		err = cmp.Or(err, checkSettings(op.Settings, op.Key))
	case lvs.AddDest, lvs.EditDest:
		err = cmp.Or(err, checkDest(op.Dest, op.Key))
		fallthrough
	case lvs.DelDest:
		err = cmp.Or(err, checkAddr("destination", op.Dest.Addr))
	}
	return err
}

// invalid returns an error that wraps EINVAL.
func invalid(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, syscall.EINVAL)...)
}

func checkKey(k lvs.Key) error {
	switch k.Protocol {
	case lvs.Mark:
		if k.Mark == 0 || k.Addr.IsValid() {
			return invalid("a mark service must have a mark above 0 and no address")
		}
		return nil
	case lvs.TCP, lvs.UDP, lvs.SCTP:
		if k.Mark != 0 || k.IPv6 != k.Addr.Addr().Is6() {
			return invalid("a virtual service with an address must have no mark, and the family of " +
				"that address")
		}
		return checkAddr("virtual service", k.Addr)
	default:
		return invalid("protocol %d, want TCP, UDP or SCTP", k.Protocol)
	}
}

// checkAddr refuses addresses that can't be sent to the kernel unchanged.
func checkAddr(of string, addr netip.AddrPort) error {
	a := addr.Addr()
	switch {
	case !a.IsValid():
		return invalid("%s without an address", of)
	case a.Zone() != "":
		return invalid("address %s with a zone", a)
	case a.Is4In6():
		return invalid("IPv4-mapped IPv6 address %s", a)
	}
	return nil
}

// maxName is the maximum length of the name of a scheduler or a persistence engine (linux/ip_vs.h:
// IP_VS_SCHEDNAME_MAXLEN, IP_VS_PENAME_MAXLEN, less the zero byte at the end).
const maxName = 15

func checkSettings(s lvs.Settings, k lvs.Key) error {
	persistent := s.Flags&lvs.Persistent != 0
	switch {
	case len(s.Scheduler) > maxName || len(s.PEName) > maxName:
		return invalid("a name of more than %d characters", maxName)
	case persistent && (s.Timeout < 1 || s.Timeout > lvs.MaxTimeout):
		return invalid("persistence of %d s, want 1 to %d", s.Timeout, lvs.MaxTimeout)
	case persistent && k.IPv6 && (s.Netmask < 1 || s.Netmask > 128):
		return invalid("granularity of a prefix of %d bits, want 1 to 128", s.Netmask)
	case !persistent && k.Protocol != lvs.Mark && k.Addr.Port() == 0:
		return invalid("port 0, every port, needs persistence")
	case s.Flags&lvs.OnePacket != 0 && k.Protocol != lvs.UDP && k.Protocol != lvs.Mark:
		return invalid("one-packet scheduling is for UDP")
	}
	return nil
}

func checkDest(d lvs.Dest, k lvs.Key) error {
	a := d.Addr.Addr()
	switch {
	case a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return invalid("destination %s is not one host", a)
	case d.Forward > lvs.Route:
		return invalid("forwarding method %d", d.Forward)
	case a.Is6() != k.IPv6 && d.Forward != lvs.Tunnel:
		return invalid("a destination of the other address family needs a tunnel")
	case d.Weight > math.MaxInt32:
		return fmt.Errorf("weight %d, want at most %d: %w", d.Weight, math.MaxInt32, syscall.ERANGE)
	case d.Lower > d.Upper:
		return fmt.Errorf("lower threshold %d is above upper %d: %w", d.Lower, d.Upper, syscall.ERANGE)
	case d.Forward != lvs.Tunnel && d.Encap != (lvs.Encap{}):
		return invalid("encapsulation without a tunnel")
	}
	return nil
}
