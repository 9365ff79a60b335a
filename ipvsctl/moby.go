package ipvsctl

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	_ "unsafe" // for go:linkname

	"ldirectord/internal/lvs"

	"github.com/moby/ipvs"
	"github.com/sirupsen/logrus"
)

// moby changes virtual services through the library moby/ipvs.
type moby struct{ *ipvs.Handle }

// setUp initializes moby/ipvs once, and then sets isSetUp. The initialization runs modprobe again, and logs an error if
// there is no modprobe.
var (
	setUp   sync.Once
	isSetUp atomic.Bool
)

// mobyFamily is the library's variable for the number of the netlink family IPVS. The library sets it only once, but a
// module that is loaded again gets a new number.
//
//go:linkname mobyFamily github.com/moby/ipvs.ipvsFamily
var mobyFamily int

// asking is held while the library uses mobyFamily.
var asking sync.RWMutex

// openMoby opens the library's socket, and prevents the library from logging. Only the first handle of the library
// logs. It is safe to change the level of a logger while other goroutines use it.
func openMoby() (moby, error) {
	setUp.Do(func() {
		level := logrus.GetLevel()
		logrus.SetLevel(logrus.PanicLevel)
		defer logrus.SetLevel(level)
		if handle, err := ipvs.New(""); err == nil {
			handle.Close()
		}
		isSetUp.Store(true)
	})
	handle, err := ipvs.New("")
	if err != nil {
		return moby{}, fmt.Errorf("open a netlink socket: %w", err)
	}
	return moby{handle}, nil
}

// setFamily sets mobyFamily. If the number is new, it first waits until no request of the library is running.
func setFamily(family int) {
	asking.RLock()
	known := mobyFamily == family
	asking.RUnlock()
	if known {
		return
	}
	asking.Lock()
	defer asking.Unlock()
	mobyFamily = family
}

// timeouts changes the timeouts of idle connections, and returns the previous ones.
func (m moby) timeouts(order lvs.Timeouts) (was lvs.Timeouts, err error) {
	asking.RLock()
	defer asking.RUnlock()
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

// change adds, edits or removes a service. An addition of an existing service becomes an edit, unless op.New is set.
// The removal of a missing service succeeds.
func (m moby) change(op lvs.Op) error {
	asking.RLock()
	defer asking.RUnlock()
	s := mobyService(op)
	switch op.Kind {
	case lvs.DelService:
		if err := m.DelService(s); !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return nil
	case lvs.AddService:
		if err := m.NewService(s); op.New || !errors.Is(err, syscall.EEXIST) {
			return err
		}
	}
	return m.UpdateService(s)
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
