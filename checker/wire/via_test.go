package wire

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// Where the kernel doesn't know the socket option for staying on the link, a hop limit of 1 has the same effect: the
// first router drops the packet.
func TestOnTheLinkIPv6HasOneHop(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := (&Via{OnLink: true, To: netip.MustParseAddr("2001:db8::1")}).prepare(fd, true); err != nil {
		t.Fatal(err)
	}
	if hops, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS); hops != 1 || err != nil {
		t.Errorf("%d hops, %v", hops, err)
	}
}
