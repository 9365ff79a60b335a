package icmp

import (
	"net"

	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// socket is a raw socket of one family, for many messages at a time.
type socket interface {
	ReadBatch(m []ipv4.Message, flags int) (int, error)
	WriteBatch(m []ipv4.Message, flags int) (int, error)
	Close() error
}

// open4 lets the kernel drop what is no reply to us. (Where it can't, receive does.)
func open4(id uint16) (*net.IPConn, socket, error) {
	conn, err := net.ListenIP("ip4:icmp", nil)
	if err != nil {
		return nil, nil, err
	}
	filter, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadMemShift{Off: 0}, // X = length of the IP header
		bpf.LoadIndirect{Off: 0, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(ipv4.ICMPTypeEchoReply), SkipTrue: 3},
		bpf.LoadIndirect{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(id), SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0},
	})
	s := ipv4.NewPacketConn(conn)
	if err == nil {
		s.SetBPF(filter)
	}
	return conn, s, nil
}

func open6(uint16) (*net.IPConn, socket, error) {
	conn, err := net.ListenIP("ip6:ipv6-icmp", nil)
	if err != nil {
		return nil, nil, err
	}
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeEchoReply)
	s := ipv6.NewPacketConn(conn)
	s.SetICMPFilter(&filter)
	return conn, s, nil
}
