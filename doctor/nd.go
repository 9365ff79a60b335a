package doctor

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv6"
)

// discovery finds the owners of IPv6 addresses by neighbour solicitations (RFC 4861).
type discovery struct {
	*ipv6.PacketConn
	index int // of the device
}

func openND(d device) (protocol, error) {
	conn, err := icmp.ListenPacket("ip6:ipv6-icmp", "::")
	if err != nil {
		return nil, err
	}
	p := conn.IPv6PacketConn()
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeNeighborAdvertisement)
	if err := errors.Join(p.SetICMPFilter(&filter), p.SetControlMessage(ipv6.FlagInterface, true)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return discovery{p, d.Index}, nil
}

func (n discovery) send(q question) error {
	message, err := solicitation(q)
	if err != nil {
		return err
	}
	from := &ipv6.ControlMessage{HopLimit: 255, IfIndex: q.device.Index, Src: q.source.AsSlice()}
	_, err = n.WriteTo(message, from, &net.IPAddr{IP: solicitedNode(q.addr), Zone: q.device.Name})
	return err
}

// The options of RFC 4861, section 4.6.1: type, and length in units of eight bytes.
const (
	sourceLinkLayer = 1
	targetLinkLayer = 2
)

func solicitation(q question) ([]byte, error) {
	body := make([]byte, 4, 28)
	body = append(body, q.addr.AsSlice()...)
	body = append(body, sourceLinkLayer, 1)
	body = append(body, q.device.HardwareAddr...)
	return (&icmp.Message{Type: ipv6.ICMPTypeNeighborSolicitation, Body: &icmp.RawBody{Data: body}}).Marshal(nil)
}

// solicitedNode is the multicast address on which the owner of an address listens (RFC 4291, 2.7.1).
func solicitedNode(addr netip.Addr) net.IP {
	a := addr.As16()
	return net.IP{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a[13], a[14], a[15]}
}

// receive returns 0 bytes for packets from other devices.
func (n discovery) receive(buffer []byte) (int, error) {
	size, by, _, err := n.ReadFrom(buffer)
	if err == nil && (by == nil || by.IfIndex != n.index) {
		return 0, nil
	}
	return size, err
}

// read reads an advertisement: type, code, checksum, flags, target, options.
func (discovery) read(b []byte) (addr netip.Addr, hardware string, ok bool) {
	const head = 24
	if len(b) < head || ipv6.ICMPType(b[0]) != ipv6.ICMPTypeNeighborAdvertisement {
		return netip.Addr{}, "", false
	}
	addr = netip.AddrFrom16([16]byte(b[8:]))
	for b = b[head:]; len(b) >= 8; {
		size := int(b[1]) * 8
		if size == 0 || size > len(b) {
			break
		}
		if b[0] == targetLinkLayer {
			return addr, net.HardwareAddr(b[2:8]).String(), true
		}
		b = b[size:]
	}
	return netip.Addr{}, "", false
}
