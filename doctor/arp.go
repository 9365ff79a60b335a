package doctor

import (
	"bytes"
	"net"
	"net/netip"
	"slices"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// arp finds the owners of IPv4 addresses (RFC 826).
type arp struct{ *packet.Conn }

// openARP opens a socket for the ARP packets of a device (packet(7)); this needs CAP_NET_RAW.
func openARP(d device) (protocol, error) {
	conn, err := packet.Listen(&d.Interface, packet.Datagram, unix.ETH_P_ARP, nil)
	return arp{conn}, err
}

// A packet begins with the types Ethernet and IPv4, the lengths of their addresses, and the operation.
var (
	arpRequest = []byte{0, 1, 8, 0, 6, 4, 0, 1}
	arpReply   = []byte{0, 1, 8, 0, 6, 4, 0, 2}
)

const arpLength = 28

func (a arp) send(q question) error {
	everyone := &packet.Addr{HardwareAddr: net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	_, err := a.WriteTo(requestFor(q), everyone)
	return err
}

func requestFor(q question) []byte {
	return slices.Concat(arpRequest, q.device.HardwareAddr, q.source.AsSlice(), make([]byte, 6), q.addr.AsSlice())
}

func (a arp) receive(buffer []byte) (int, error) {
	n, _, err := a.ReadFrom(buffer)
	return n, err
}

// read reads a reply.
func (arp) read(b []byte) (addr netip.Addr, hardware string, ok bool) {
	if len(b) < arpLength || !bytes.HasPrefix(b, arpReply) {
		return netip.Addr{}, "", false
	}
	return netip.AddrFrom4([4]byte(b[14:])), net.HardwareAddr(b[8:14]).String(), true
}
