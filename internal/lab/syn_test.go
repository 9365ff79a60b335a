package lab

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
)

// synPacket is an IPv4 packet with only a SYN (RFC 791, RFC 9293). The kernel fills in the checksum of the IP header.
func synPacket(from, to netip.AddrPort) []byte {
	const header, tcp = 20, 6
	src, dst := from.Addr().As4(), to.Addr().As4()
	p := make([]byte, 2*header)
	p[0], p[8], p[9] = 4<<4|header/4, 64, tcp // the version, and the length in words; time to live; protocol
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	segment := p[header:]
	binary.BigEndian.PutUint16(segment, from.Port())
	binary.BigEndian.PutUint16(segment[2:], to.Port())
	binary.BigEndian.PutUint32(segment[4:], rand.Uint32())
	segment[12], segment[13] = header/4<<4, 2 // its length in words; SYN
	binary.BigEndian.PutUint16(segment[14:], 65535)
	sum := uint32(tcp + header)
	for _, part := range [][]byte{src[:], dst[:], segment} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(segment[16:], ^uint16(sum>>16+sum))
	return p
}
