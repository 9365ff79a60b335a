package doctor

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// arp uses ARP (RFC 826) to find out which machines answer for IPv4 addresses.
type arp struct {
	*packet.Conn
	inquiry
}

// openARP opens a socket for the ARP packets of a device (packet(7)). This needs CAP_NET_RAW.
func openARP(q inquiry) (finder, error) {
	conn, err := packet.Listen(&q.device.Interface, packet.Datagram, unix.ETH_P_ARP, nil)
	return arp{conn, q}, err
}

// An ARP packet begins with the types of Ethernet and IPv4, the lengths of their addresses, and the operation.
const (
	arpRequest = "\x00\x01\x08\x00\x06\x04\x00\x01"
	arpReply   = "\x00\x01\x08\x00\x06\x04\x00\x02"
	arpLength  = 28
	everyone   = "\xff\xff\xff\xff\xff\xff"
)

func (a arp) send(addr netip.Addr) error {
	_, err := a.WriteTo(a.request(addr), &packet.Addr{HardwareAddr: net.HardwareAddr(everyone)})
	return err
}

func (q inquiry) request(addr netip.Addr) []byte {
	return slices.Concat([]byte(arpRequest), q.device.HardwareAddr, q.source.AsSlice(), make([]byte, 6),
		addr.AsSlice())
}

func (a arp) receive(buffer []byte) (int, error) {
	n, _, err := a.ReadFrom(buffer)
	return n, err
}

// read parses a reply.
func (arp) read(b []byte) (addr netip.Addr, hardware string, ok bool) {
	if len(b) < arpLength || !strings.HasPrefix(string(b), arpReply) {
		return netip.Addr{}, "", false
	}
	return netip.AddrFrom4([4]byte(b[14:])), net.HardwareAddr(b[8:14]).String(), true
}
