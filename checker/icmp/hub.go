package icmp

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"ldirectord/internal/raw"
)

const (
	// Sizes in bytes: of an ICMP header, of each buffer of a socket, and of a request's data. The data has the same
	// size as in the Perl ldirectord.
	headerSize = 8
	bufferSize = 8 << 20
	dataSize   = 64
	// batchSize is how many messages one system call sends or receives at most.
	batchSize = 32
	// roomWait is how long to wait before resending a request for which the socket had no room.
	roomWait = 100 * time.Millisecond
)

// family holds what differs between IPv4 and IPv6.
type family struct {
	network        string
	level, hops    int             // the socket's option for the hop limit
	header         bpf.Instruction // X = length of the IP header in front of a message
	request, reply byte            // ICMP types
}

var families = map[bool]family{ // true: IPv6
	false: {"ip4:icmp", unix.IPPROTO_IP, unix.IP_TTL, bpf.LoadMemShift{},
		byte(ipv4.ICMPTypeEcho), byte(ipv4.ICMPTypeEchoReply)},
	true: {"ip6:ipv6-icmp", unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, bpf.LoadConstant{Dst: bpf.RegX},
		byte(ipv6.ICMPTypeEchoRequest), byte(ipv6.ICMPTypeEchoReply)},
}

// hub sends all echo requests of one family and path from one raw socket. If each server had its own socket, every
// socket would get a copy of every reply.
type hub struct {
	*waiting
	family
	way
	*net.IPConn
	batches *ipv4.PacketConn // the same socket; batches are the same for IPv6
	id      uint16
	device  uint32 // the index of the device of the hub's path; 0: none

	out      sync.Mutex // guards what follows
	seq      uint16
	messages []ipv4.Message
	batch    []*Echo // the echoes of the messages
	noRoom   []*Echo // echoes without room in the socket
}

func openHub(asked *waiting, w way) (*hub, error) {
	h := &hub{waiting: asked, family: families[w.ipv6], way: w, id: uint16(rand.Uint32()),
		messages: newMessages(headerSize + dataSize)}
	conn, err := net.ListenIP(h.network, nil)
	if err != nil {
		return nil, err
	}
	h.IPConn, h.batches = conn, ipv4.NewPacketConn(conn)
	raw, err := conn.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) { err = h.prepare(int(fd)) })
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go h.read()
	return h, nil
}

// bufferOptions are socket options that enlarge the buffers. If permitted, the last two do so even beyond
// net.core.rmem_max and wmem_max. The buffers must hold the replies of thousands of servers, and requests to silent
// servers.
var bufferOptions = []int{unix.SO_RCVBUF, unix.SO_SNDBUF, unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE}

// prepare sets up the socket: its buffers, its path, and a filter with which the kernel drops packets that are not
// replies to our requests. (If the kernel can't, receive drops them.)
func (h *hub) prepare(fd int) error {
	for _, option := range bufferOptions {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, bufferSize)
	}
	filter, _ := bpf.Assemble([]bpf.Instruction{
		h.header,
		bpf.LoadIndirect{Off: 0, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(h.reply), SkipTrue: 3},
		bpf.LoadIndirect{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(h.id), SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0},
	})
	h.batches.SetBPF(filter)
	if err := raw.SetOrigin(fd, h.ipv6, h.Origin); err != nil {
		return err
	}
	if h.OnLink { // a router drops the request
		return unix.SetsockoptInt(fd, h.level, h.hops, 1)
	}
	return nil
}

// newMessages returns messages for a batch, with empty buffers.
func newMessages(size int) []ipv4.Message {
	messages := make([]ipv4.Message, batchSize)
	for i := range messages {
		messages[i] = ipv4.Message{Buffers: [][]byte{make([]byte, size)}, Addr: &net.IPAddr{}}
	}
	return messages
}

// send implements pinger.
func (h *hub) send(batch []*Echo) {
	h.out.Lock()
	defer h.out.Unlock()
	for _, e := range batch {
		h.enter(e, func() {})
		h.add(e)
	}
	h.flush()
}

// retry resends the requests for which the socket had no room, if they still need a reply.
func (h *hub) retry() {
	h.out.Lock()
	defer h.out.Unlock()
	waiting := h.noRoom
	h.noRoom = nil
	for _, e := range waiting {
		if h.mark(e, time.Now()) {
			h.add(e)
		}
	}
	h.flush()
}

// add adds a request to the batch, and sends the batch when it is full.
func (h *hub) add(e *Echo) {
	message := h.messages[len(h.batch)]
	to, ip := message.Addr.(*net.IPAddr), e.To.As16()
	to.IP, to.Zone = append(to.IP[:0], ip[:]...), e.To.Zone()
	m := message.Buffers[0]
	h.seq++
	clear(m[:headerSize])
	m[0] = h.request
	binary.BigEndian.PutUint16(m[4:], h.id)
	binary.BigEndian.PutUint16(m[6:], h.seq)
	copy(m[headerSize:], e.nonce[:])
	if !h.ipv6 { // for IPv6 the kernel does it
		binary.BigEndian.PutUint16(m[2:], checksum(m))
	}
	h.batch = append(h.batch, e)
	if len(h.batch) == batchSize {
		h.flush()
	}
}

// flush sends the batch. If WriteBatch fails, its error is that of the first message.
func (h *hub) flush() {
	for i := 0; i < len(h.batch); {
		n, err := h.batches.WriteBatch(h.messages[i:len(h.batch)], 0)
		if err == nil {
			i += n
			continue
		}
		h.fail(h.batch[i], err)
		i++
	}
	h.batch = h.batch[:0]
}

// fail handles a message that could not be sent. If the socket had no room for it, retry sends it later.
func (h *hub) fail(e *Echo, err error) {
	switch {
	case !errors.Is(err, syscall.ENOBUFS):
		if h.take(e.To, e.nonce) != nil {
			e.Done(e, 0, err)
		}
	case h.mark(e, time.Time{}):
		if len(h.noRoom) == 0 {
			time.AfterFunc(roomWait, h.retry)
		}
		h.noRoom = append(h.noRoom, e)
	}
}

// checksum returns the Internet checksum (RFC 1071) of b, whose length must be even.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum>>16 + sum&0xffff
	sum += sum >> 16
	return ^uint16(sum)
}

// read hands replies to the echoes that wait for them, until the socket is closed.
func (h *hub) read() {
	replies := newMessages(60 + headerSize + dataSize) // with the longest IP header
	for {
		n, err := h.batches.ReadBatch(replies, 0)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as ENOBUFS: the next read may succeed
			time.Sleep(time.Millisecond)
			continue
		}
		now := time.Now()
		for _, m := range replies[:n] {
			if from, ok := netip.AddrFromSlice(m.Addr.(*net.IPAddr).IP); ok {
				h.receive(from.Unmap(), m.Buffers[0][:m.N], now)
			}
		}
	}
}

// receive handles one message, which for IPv4 begins with the IP header.
func (h *hub) receive(from netip.Addr, m []byte, now time.Time) {
	if !h.ipv6 && len(m) > 0 {
		m = m[min(4*int(m[0]&15), len(m)):]
	}
	if len(m) < headerSize+len(nonce{}) || m[0] != h.reply || binary.BigEndian.Uint16(m[4:]) != h.id {
		return
	}
	if e := h.take(from, nonce(m[headerSize:])); e != nil {
		e.Done(e, now.Sub(e.left), nil)
	}
}
