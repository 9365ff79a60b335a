package raw

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"ldirectord/checker/settings"
)

// OriginError is the error for a socket that can't have its Origin (device, mark and source address), because this
// machine lacks an address, a device or a permission. Such an error proves nothing about a server.
type OriginError struct {
	Directive, Value string
	Err              error
}

func (e *OriginError) Unwrap() error { return e.Err }

func (e *OriginError) Error() string {
	if errors.Is(e.Err, syscall.EADDRNOTAVAIL) || errors.Is(e.Err, syscall.ENODEV) {
		return fmt.Sprintf("%s %s: this machine does not have it", e.Directive, e.Value)
	}
	return fmt.Sprintf("%s %s: %v", e.Directive, e.Value, e.Err)
}

// SetOrigin sets the Origin of a socket: its device, mark and source address. Call it before the first packet. A source
// address of the other family is ignored. The kernel chooses the port only when the socket is connected, so that one
// port may be used for many servers.
func SetOrigin(fd int, ipv6 bool, o settings.Origin) error {
	if o.CheckDevice != "" { // first, because a VRF decides which addresses there are
		if err := unix.BindToDevice(fd, o.CheckDevice); err != nil {
			return &OriginError{"checkdevice", o.CheckDevice, err}
		}
	}
	if o.CheckMark > 0 {
		if err := SetOption(fd, unix.SOL_SOCKET, unix.SO_MARK, int32(o.CheckMark)); err != nil {
			return &OriginError{"checkmark", strconv.FormatUint(uint64(o.CheckMark), 10), err}
		}
	}
	if !o.CheckSource.IsValid() || o.CheckSource.Is6() != ipv6 {
		return nil
	}
	err := SetOption(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err == nil || errors.Is(err, unix.ENOPROTOOPT) { // a raw socket of IPv6 has no such option, and no port
		err = Bind(fd, netip.AddrPortFrom(o.CheckSource, 0))
	}
	if err != nil {
		return &OriginError{"checksource", o.CheckSource.String(), err}
	}
	return nil
}

// TryOrigin returns an error if this machine can't use the Origin. Otherwise it returns the index of the Origin's
// device, or 0 if it has no device.
func TryOrigin(ipv6 bool, o settings.Origin) (device uint32, err error) {
	if o.IsUsual() {
		return 0, nil
	}
	family := unix.AF_INET
	if ipv6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	if err := SetOrigin(fd, ipv6, o); err != nil || o.CheckDevice == "" {
		return 0, err
	}
	request, err := unix.NewIfreq(o.CheckDevice)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request)
	}
	if err != nil {
		return 0, &OriginError{"checkdevice", o.CheckDevice, err}
	}
	return request.Uint32(), nil
}
