package icmp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	headerSize = 8
	dataSize   = 64 // bytes, as the Perl ldirectord sends
	bufferSize = 8 << 20
	// roomWait is after how long a request is sent again for which there was no room.
	roomWait = 100 * time.Millisecond
)

// hub sends the echo requests of one address family from one raw socket, however many servers
// there are. With a socket for each, every socket gets a copy of every reply.
type hub struct {
	conn           *net.IPConn
	request, reply byte // ICMP types
	id             uint16
	closed         chan struct{} // closed when the reader has ended

	mu      sync.Mutex // guards what follows
	seq     uint16
	pending map[echo]*waiting
}

// echo is one request, as its reply repeats it.
type echo struct {
	from netip.Addr // without zone
	seq  uint16
}

type waiting struct {
	nonce [16]byte // sent with the request: a reply without it is forged, or meant for another program
	sent  time.Time
	took  chan time.Duration
}

func openHub(ipv6 bool) (*hub, error) {
	h := &hub{
		request: byte(ipv4.ICMPTypeEcho), reply: byte(ipv4.ICMPTypeEchoReply),
		id: uint16(rand.Uint32()), closed: make(chan struct{}), pending: map[echo]*waiting{},
	}
	open := open4
	if ipv6 {
		h.request, h.reply, open = echo6, reply6, open6
	}
	conn, err := open(h.id)
	if err != nil {
		return nil, err
	}
	h.conn = conn
	growBuffers(conn, bufferSize)
	go h.read()
	return h, nil
}

const (
	echo6  = byte(ipv6.ICMPTypeEchoRequest)
	reply6 = byte(ipv6.ICMPTypeEchoReply)
)

// open4 lets the kernel drop what is no reply to us. (Where it can't, read does.)
func open4(id uint16) (*net.IPConn, error) {
	conn, err := net.ListenIP("ip4:icmp", nil)
	if err != nil {
		return nil, err
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
	if err == nil {
		ipv4.NewPacketConn(conn).SetBPF(filter)
	}
	return conn, nil
}

func open6(uint16) (*net.IPConn, error) {
	conn, err := net.ListenIP("ip6:ipv6-icmp", nil)
	if err != nil {
		return nil, err
	}
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	filter.Accept(ipv6.ICMPTypeEchoReply)
	ipv6.NewPacketConn(conn).SetICMPFilter(&filter)
	return conn, nil
}

// Ping implements pinger. Requests to servers that are silent in their own network fill the socket for the
// seconds in which the kernel looks for them. The others wait for room then, up to a whole timeout: that wait is
// no part of their servers' time.
func (h *hub) Ping(ctx context.Context, to netip.Addr, timeout time.Duration) (time.Duration, error) {
	for end := time.Now().Add(timeout); ; {
		took, err := h.ask(ctx, to, timeout)
		if !errors.Is(err, syscall.ENOBUFS) || !time.Now().Add(roomWait).Before(end) {
			return took, err
		}
		select {
		case <-time.After(roomWait):
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-h.closed:
			return 0, net.ErrClosed
		}
	}
}

// ask sends one request and waits for its reply.
func (h *hub) ask(ctx context.Context, to netip.Addr, timeout time.Duration) (time.Duration, error) {
	key, ping := h.enter(to)
	defer h.leave(key)
	message := h.message(key.seq, ping.nonce)
	if _, err := h.conn.WriteToIP(message, &net.IPAddr{IP: to.AsSlice(), Zone: to.Zone()}); err != nil {
		return 0, err
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case took := <-ping.took:
		return took, nil
	case <-timer.C:
		return 0, os.ErrDeadlineExceeded
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-h.closed:
		return 0, net.ErrClosed
	}
}

// enter makes a request known to the reader.
func (h *hub) enter(to netip.Addr) (echo, *waiting) {
	ping := &waiting{sent: time.Now(), took: make(chan time.Duration, 1)}
	binary.NativeEndian.PutUint64(ping.nonce[:], rand.Uint64())
	binary.NativeEndian.PutUint64(ping.nonce[8:], rand.Uint64())
	h.mu.Lock()
	defer h.mu.Unlock()
	key := echo{from: to.WithZone("")}
	for range 1 << 16 { // as many as may wait for one server
		h.seq++
		key.seq = h.seq
		if h.pending[key] == nil {
			break
		}
	}
	h.pending[key] = ping
	return key, ping
}

func (h *hub) leave(key echo) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.pending, key)
}

func (h *hub) message(seq uint16, nonce [16]byte) []byte {
	m := make([]byte, headerSize+dataSize)
	m[0] = h.request
	binary.BigEndian.PutUint16(m[4:], h.id)
	binary.BigEndian.PutUint16(m[6:], seq)
	copy(m[headerSize:], nonce[:])
	if h.request == byte(ipv4.ICMPTypeEcho) { // for IPv6 the kernel does it
		binary.BigEndian.PutUint16(m[2:], checksum(m))
	}
	return m
}

// checksum is the checksum of RFC 1071 over an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum>>16 + sum&0xffff
	sum += sum >> 16
	return ^uint16(sum)
}

// read hands replies to those who wait for them, until the socket is closed.
func (h *hub) read() {
	defer close(h.closed)
	buf := make([]byte, 2048)
	for {
		n, from, err := h.conn.ReadFromIP(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // such as ENOBUFS: the next read may do
			time.Sleep(time.Millisecond)
			continue
		}
		if addr, ok := netip.AddrFromSlice(from.IP); ok {
			h.receive(addr.Unmap(), buf[:n])
		}
	}
}

func (h *hub) receive(from netip.Addr, m []byte) {
	if len(m) < headerSize+16 || m[0] != h.reply || binary.BigEndian.Uint16(m[4:]) != h.id {
		return
	}
	h.mu.Lock()
	ping := h.pending[echo{from, binary.BigEndian.Uint16(m[6:])}]
	h.mu.Unlock()
	if ping == nil || [16]byte(m[headerSize:]) != ping.nonce {
		return
	}
	select {
	case ping.took <- time.Since(ping.sent):
	default: // a duplicate
	}
}

func (h *hub) close() error {
	if err := h.conn.Close(); err != nil {
		return fmt.Errorf("closing the ping socket: %w", err)
	}
	<-h.closed
	return nil
}
