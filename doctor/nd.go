package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv6"
)

// askND asks all questions of IPv6 on one device by neighbour solicitations (RFC 4861) until ctx ends.
func askND(ctx context.Context, questions []question) (neighbours, error) {
	d := questions[0].device
	conn, err := icmp.ListenPacket("ip6:ipv6-icmp", "::")
	if err != nil {
		return nil, fmt.Errorf("opening a socket for neighbour discovery: %w", err)
	}
	defer conn.Close()
	p := conn.IPv6PacketConn()
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeNeighborAdvertisement)
	deadline, _ := ctx.Deadline()
	if err := errors.Join(p.SetICMPFilter(&filter), p.SetControlMessage(ipv6.FlagInterface, true), p.SetDeadline(deadline)); err != nil {
		return nil, fmt.Errorf("asking for addresses on %s: %w", d.name, err)
	}
	sent := make(chan error, 1)
	go func() {
		sent <- sendTwice(ctx, questions, func(q question) error { return solicit(p, q) })
	}()
	found, err := receiveND(p, d.index)
	return found, errors.Join(err, <-sent)
}

func solicit(p *ipv6.PacketConn, q question) error {
	message, err := solicitation(q)
	if err != nil {
		return err
	}
	from := &ipv6.ControlMessage{HopLimit: 255, IfIndex: q.device.index, Src: q.source.AsSlice()}
	_, err = p.WriteTo(message, from, &net.IPAddr{IP: solicitedNode(q.addr), Zone: q.device.name})
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
	body = append(body, q.device.hardware...)
	return (&icmp.Message{Type: ipv6.ICMPTypeNeighborSolicitation, Body: &icmp.RawBody{Data: body}}).Marshal(nil)
}

// solicitedNode is the multicast address at which the owner of an address listens (RFC 4291, 2.7.1).
func solicitedNode(addr netip.Addr) net.IP {
	a := addr.As16()
	return net.IP{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a[13], a[14], a[15]}
}

// receiveND collects the advertisements that a device receives until the deadline.
func receiveND(p *ipv6.PacketConn, index int) (neighbours, error) {
	found := neighbours{}
	buffer := make([]byte, 1500)
	for {
		n, by, _, err := p.ReadFrom(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("receiving answers for addresses: %w", err)
		}
		if addr, hardware, ok := parseAdvertisement(buffer[:n]); ok && by != nil && by.IfIndex == index {
			found.add(addr, hardware)
		}
	}
}

// parseAdvertisement reads whose address it is, and by which hardware: type, code, checksum, flags, target, options.
func parseAdvertisement(b []byte) (addr netip.Addr, hardware string, ok bool) {
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
