package doctor

import (
	"errors"
	"net/netip"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"
)

// discovery uses neighbour solicitations (RFC 4861) to find out which machines answer for IPv6 addresses.
type discovery struct {
	*ndp.Conn
	inquiry
}

func openND(q inquiry) (finder, error) {
	conn, _, err := ndp.Listen(&q.device.Interface, ndp.Unspecified)
	if err != nil {
		return nil, err
	}
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeNeighborAdvertisement)
	err = errors.Join(conn.SetICMPFilter(&filter), conn.SetControlMessage(ipv6.FlagInterface, true))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return discovery{conn, q}, nil
}

func (n discovery) send(addr netip.Addr) error {
	group, err := ndp.SolicitedNodeMulticast(addr)
	if err != nil {
		return err
	}
	from := &ipv6.ControlMessage{HopLimit: ndp.HopLimit, IfIndex: n.device.Index, Src: n.source.AsSlice()}
	return n.WriteTo(n.solicitation(addr), from, group)
}

func (q inquiry) solicitation(addr netip.Addr) *ndp.NeighborSolicitation {
	ours := &ndp.LinkLayerAddress{Direction: ndp.Source, Addr: q.device.HardwareAddr}
	return &ndp.NeighborSolicitation{TargetAddress: addr, Options: []ndp.Option{ours}}
}

// receive reads a packet. If the packet came in on another device, receive returns 0 bytes.
func (n discovery) receive(buffer []byte) (int, error) {
	size, by, _, err := n.ReadRaw(buffer)
	if err == nil && (by == nil || by.IfIndex != n.device.Index) {
		return 0, nil
	}
	return size, err
}

// read parses an advertisement.
func (discovery) read(b []byte) (addr netip.Addr, hardware string, ok bool) {
	message, _ := ndp.ParseMessage(b) // nil: not a message
	answer, _ := message.(*ndp.NeighborAdvertisement)
	if answer == nil {
		return netip.Addr{}, "", false
	}
	for _, option := range answer.Options {
		if owner, is := option.(*ndp.LinkLayerAddress); is && owner.Direction == ndp.Target {
			return answer.TargetAddress, owner.Addr.String(), true
		}
	}
	return netip.Addr{}, "", false
}
