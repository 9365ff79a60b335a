package wire

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ldirectord/checker/settings"
	"ldirectord/internal/testkit"
)

// Where the kernel doesn't know the socket option for staying on the link, a hop limit of 1 has the same effect: the
// first router drops the packet.
func TestOnTheLinkIPv6HasOneHop(t *testing.T) {
	fd := testkit.Must(unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0))(t)
	defer unix.Close(fd)
	testkit.OK(t, ViaFrom(settings.Path{OnLink: true}, netip.MustParseAddr("2001:db8::1")).prepare(fd, true))
	testkit.Equal(t, testkit.Must(unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS))(t), 1, "hops")
}

// An origin is for every address, staying on the link and a private service for one. Of another family only the source
// is left out.
func TestAnOriginIsForEveryAddress(t *testing.T) {
	here, there, six := netip.MustParseAddrPort("127.0.0.1:80"), netip.MustParseAddrPort("127.0.0.2:80"),
		netip.MustParseAddrPort("[::1]:80")
	from := settings.Origin{CheckSource: netip.MustParseAddr("127.0.0.7"), CheckDevice: "lo"}
	ctx := WithVia(t.Context(), *ViaFrom(settings.Path{Origin: from, OnLink: true}, here.Addr()))
	for to, onLink := range map[netip.AddrPort]bool{here: true, there: false, six: false} {
		want := ViaFrom(settings.Path{Origin: from, OnLink: onLink}, to.Addr())
		testkit.Same(t, ViaTo(ctx, to), want, "to", to)
	}
	if got := ViaTo(WithVia(t.Context(), Via{Mark: 1, To: here.Addr()}), there); got != nil {
		t.Errorf("besides a private service: %+v", got)
	}
	for _, to := range []netip.AddrPort{there, six} {
		fd, err := startTCP(to, ViaTo(ctx, to))
		if fd >= 0 {
			defer unix.Close(fd)
		}
		device, _ := unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
		source := localOf(fd).Addr()
		if err != nil && to != six || device != "lo" || (source == from.CheckSource) != (to == there) {
			t.Errorf("to %v: from %v by %s: %v", to, source, device, err)
		}
	}
}

func TestAnOriginMarksPackets(t *testing.T) {
	to := netip.MustParseAddrPort("127.0.0.1:9")
	fd, err := startTCP(to, ViaFrom(settings.Path{Origin: settings.Origin{CheckMark: 7}}, to.Addr()))
	if fd >= 0 {
		defer unix.Close(fd)
	}
	if errors.Is(err, syscall.EPERM) {
		t.Skip("needs CAP_NET_ADMIN")
	}
	if mark, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK); mark != 7 {
		t.Errorf("mark %d, %v", mark, err)
	}
}

// A connection that a server makes has the mark and the device, too.
func TestAnOriginMarksWhatAServerConnectsTo(t *testing.T) {
	server := netip.MustParseAddrPort("127.0.0.1:9")
	from := settings.Origin{CheckSource: server.Addr(), CheckDevice: "lo", CheckMark: 7}
	ctx := WithVia(t.Context(), *ViaFrom(settings.Path{Origin: from}, server.Addr()))
	l, err := Listen(ctx, server.Addr(), server)
	if errors.Is(err, syscall.EPERM) {
		t.Skip("needs CAP_NET_ADMIN")
	}
	testkit.OK(t, err)
	defer l.Close()
	testkit.OK(t, testkit.Must(l.SyscallConn())(t).Control(func(fd uintptr) {
		mark, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK)
		device, _ := unix.GetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
		testkit.Equal(t, fmt.Sprint(mark, " ", device), "7 lo")
	}))
	testkit.OK(t, testkit.Error(net.Dial("tcp", l.Addr().String())))
}
