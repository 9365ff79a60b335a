package ipvsctl

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"ldirectord/internal/lvs"

	"github.com/moby/ipvs"
	"github.com/sirupsen/logrus"
)

// moby changes virtual services through the library moby/ipvs.
type moby struct{ *ipvs.Handle }

// setUp initializes moby/ipvs once. The initialization runs modprobe again, and logs an error if there is no modprobe.
var setUp sync.Once

// openMoby opens the library's socket, and prevents the library from logging. Only the first handle of the library
// logs. The level of a logger may be changed while other goroutines use the logger.
func openMoby() (moby, error) {
	setUp.Do(func() {
		level := logrus.GetLevel()
		logrus.SetLevel(logrus.PanicLevel)
		defer logrus.SetLevel(level)
		if handle, err := ipvs.New(""); err == nil {
			handle.Close()
		}
	})
	handle, err := ipvs.New("")
	if err != nil {
		return moby{}, fmt.Errorf("open a netlink socket: %w", err)
	}
	return moby{handle}, nil
}

// timeouts changes the timeouts of idle connections, and returns the previous ones.
func (m moby) timeouts(order lvs.Timeouts) (was lvs.Timeouts, err error) {
	all, err := m.GetConfig()
	if err != nil {
		return was, err
	}
	for i, d := range []time.Duration{all.TimeoutTCP, all.TimeoutTCPFin, all.TimeoutUDP} {
		was[i] = uint32(d / time.Second)
	}
	if order.Over(was) == was {
		return was, nil
	}
	at := func(i int) time.Duration { return time.Duration(order[i]) * time.Second }
	return was, m.SetConfig(&ipvs.Config{TimeoutTCP: at(0), TimeoutTCPFin: at(1), TimeoutUDP: at(2)})
}

// probe requests a service that can't exist, for which the kernel returns ESRCH. EPERM means missing rights. Any other
// error means that the library uses an outdated family number: a reloaded module gets a new number, but the library
// never looks it up again.
func (m moby) probe() error {
	_, err := m.GetService(&ipvs.Service{AddressFamily: syscall.AF_INET, Address: net.IPv4zero})
	switch {
	case errors.Is(err, syscall.ESRCH):
		return nil
	case errors.Is(err, syscall.EPERM):
		return err
	default:
		return fmt.Errorf("%w: %w", errReloaded, err)
	}
}

// put adds or edits a service. An addition of an existing service becomes an edit, unless op.New is set.
func (m moby) put(op lvs.Op) error {
	s := mobyService(op)
	if op.Kind == lvs.AddService {
		if err := m.NewService(s); op.New || !errors.Is(err, syscall.EEXIST) {
			return err
		}
	}
	return m.UpdateService(s)
}

// remove removes a service. It succeeds if the service does not exist.
func (m moby) remove(op lvs.Op) error {
	err := m.DelService(mobyService(op))
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

func mobyService(op lvs.Op) *ipvs.Service {
	settings := op.Settings.Stored(op.Key.IPv6)
	s := &ipvs.Service{
		AddressFamily: family(op.Key.IPv6),
		FWMark:        op.Key.Mark,
		SchedName:     settings.Scheduler,
		Flags:         uint32(settings.Flags &^ flagHashed),
		Timeout:       settings.Timeout,
		Netmask:       settings.Netmask,
		PEName:        settings.PEName,
	}
	if !op.Key.IPv6 {
		s.Netmask = swapMask(settings.Netmask)
	}
	if op.Key.Protocol != lvs.Mark {
		s.Protocol = uint16(op.Key.Protocol)
		s.Address = op.Key.Addr.Addr().AsSlice()
		s.Port = op.Key.Addr.Port()
	}
	return s
}
