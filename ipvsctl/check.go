package ipvsctl

import (
	"fmt"
	"math"
	"net/netip"
	"syscall"

	"ldirectord/lvs"
)

// Check refuses what ipvsadm or the kernel refuses, and what the kernel would take for something else; so
// both tables refuse the same. Its errors wrap EINVAL or ERANGE.
func (op Op) Check() error {
	if op.Kind > DelDest {
		return fmt.Errorf("unknown operation: %w", syscall.EINVAL)
	}
	if err := checkKey(op.Key); err != nil {
		return err
	}
	switch op.Kind {
	case AddService, EditService:
		return op.Settings.check(op.Key)
	case AddDest, EditDest:
		if err := checkDest(op.Dest, op.Key); err != nil {
			return err
		}
		return checkAddr("destination", op.Dest.Addr)
	case DelDest:
		return checkAddr("destination", op.Dest.Addr)
	default:
		return nil
	}
}

func checkKey(k lvs.Key) error {
	switch k.Protocol {
	case lvs.Mark:
		if k.Mark == 0 || k.Addr.IsValid() {
			return fmt.Errorf("a mark service has a mark above 0 and no address: %w", syscall.EINVAL)
		}
		return nil
	case lvs.TCP, lvs.UDP, lvs.SCTP:
		if k.Mark != 0 || k.IPv6 != k.Addr.Addr().Is6() {
			return fmt.Errorf("an address service has no mark, and the family of its address: %w",
				syscall.EINVAL)
		}
		return checkAddr("virtual service", k.Addr)
	default:
		return fmt.Errorf("protocol %d, want TCP, UDP or SCTP: %w", k.Protocol, syscall.EINVAL)
	}
}

// checkAddr refuses addresses that a message of IPVS can't carry as they are.
func checkAddr(of string, addr netip.AddrPort) error {
	a := addr.Addr()
	switch {
	case !a.IsValid():
		return fmt.Errorf("%s without an address: %w", of, syscall.EINVAL)
	case a.Zone() != "":
		return fmt.Errorf("address %s with a zone: %w", a, syscall.EINVAL)
	case a.Is4In6():
		return fmt.Errorf("IPv4 address %s in the form of IPv6: %w", a, syscall.EINVAL)
	default:
		return nil
	}
}

// maxName is how long the name of a scheduler or a persistence engine may be (linux/ip_vs.h:
// IP_VS_SCHEDNAME_MAXLEN, IP_VS_PENAME_MAXLEN, each with a zero byte).
const maxName = 15

func (s Settings) check(k lvs.Key) error {
	persistent := s.Flags&Persistent != 0
	switch {
	case len(s.Scheduler) > maxName || len(s.PEName) > maxName:
		return fmt.Errorf("a name of more than %d characters: %w", maxName, syscall.EINVAL)
	case persistent && (s.Timeout < 1 || s.Timeout > MaxTimeout):
		return fmt.Errorf("persistence of %d s, want 1 to %d: %w", s.Timeout, MaxTimeout, syscall.EINVAL)
	case persistent && k.IPv6 && (s.Netmask < 1 || s.Netmask > 128):
		return fmt.Errorf("granularity of a prefix of %d bits, want 1 to 128: %w", s.Netmask, syscall.EINVAL)
	case !persistent && k.Protocol != lvs.Mark && k.Addr.Port() == 0:
		return fmt.Errorf("port 0, every port, needs persistence: %w", syscall.EINVAL)
	case s.Flags&OnePacket != 0 && k.Protocol != lvs.UDP && k.Protocol != lvs.Mark:
		return fmt.Errorf("one-packet scheduling is for UDP: %w", syscall.EINVAL)
	default:
		return nil
	}
}

func checkDest(d lvs.Dest, k lvs.Key) error {
	a := d.Addr.Addr()
	switch {
	case a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("destination %s is not one host: %w", a, syscall.EINVAL)
	case d.Forward > lvs.Route:
		return fmt.Errorf("forwarding method %d: %w", d.Forward, syscall.EINVAL)
	case a.Is6() != k.IPv6 && d.Forward != lvs.Tunnel:
		return fmt.Errorf("a destination of the other address family needs a tunnel: %w", syscall.EINVAL)
	case d.Weight > math.MaxInt32:
		return fmt.Errorf("weight %d, want at most %d: %w", d.Weight, math.MaxInt32, syscall.ERANGE)
	case d.Lower > d.Upper:
		return fmt.Errorf("lower threshold %d above the upper one, %d: %w", d.Lower, d.Upper, syscall.ERANGE)
	case d.Forward != lvs.Tunnel && d.Encap != (lvs.Encap{}):
		return fmt.Errorf("encapsulation without a tunnel: %w", syscall.EINVAL)
	default:
		return nil
	}
}
