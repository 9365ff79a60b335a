package icmp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	headerSize = 8
	dataSize   = 64                         // bytes, as the Perl ldirectord sends
	replySize  = 60 + headerSize + dataSize // with the longest IP header
	bufferSize = 8 << 20
	// batchSize is how many messages one system call sends or receives.
	batchSize = 32
	// roomWait is after how long a request is sent again for which there was no room.
	roomWait = 100 * time.Millisecond
)

// hub sends the echo requests of one address family from one raw socket, however many servers
// there are. With a socket for each, every socket gets a copy of every reply.
type hub struct {
	conn           *net.IPConn
	socket         socket // the same
	family         int
	request, reply byte // ICMP types
	id             uint16
	closed         chan struct{} // closed when the reader has ended

	out      sync.Mutex // held while requests are sent; guards the next two
	messages []ipv4.Message
	keys     []key // of the messages that are to be sent

	mu      sync.Mutex // guards what follows, and what changes in the echoes; may be taken while out is held
	seq     uint16
	pending map[key]*Echo
	noRoom  []key // requests that the socket had no room for; retry sends them
}

// key is one request, as its reply repeats it.
type key struct {
	from netip.Addr // without zone
	seq  uint16
}

func openHub(family int) (*hub, error) {
	h := &hub{
		family: family, request: byte(ipv4.ICMPTypeEcho), reply: byte(ipv4.ICMPTypeEchoReply),
		id: uint16(rand.Uint32()), closed: make(chan struct{}), pending: map[key]*Echo{},
	}
	open := open4
	if family == family6 {
		h.request, h.reply, open = byte(ipv6.ICMPTypeEchoRequest), byte(ipv6.ICMPTypeEchoReply), open6
	}
	conn, socket, err := open(h.id)
	if err != nil {
		return nil, err
	}
	h.conn, h.socket = conn, socket
	h.messages, h.keys = newMessages(headerSize+dataSize), make([]key, 0, batchSize)
	growBuffers(conn, bufferSize)
	go h.read()
	return h, nil
}

// newMessages returns room for a batch.
func newMessages(size int) []ipv4.Message {
	messages := make([]ipv4.Message, batchSize)
	for i := range messages {
		messages[i] = ipv4.Message{Buffers: [][]byte{make([]byte, size)}, Addr: &net.IPAddr{}}
	}
	return messages
}

// failure is an echo that could not be sent.
type failure struct {
	echo *Echo
	err  error
}

// send implements pinger.
func (h *hub) send(batch []*Echo) {
	var failed []failure
	h.out.Lock()
	for _, e := range batch {
		switch {
		case e.family() != h.family:
		case !h.enter(e):
			failed = append(failed, failure{e, syscall.ENOBUFS})
		case len(h.keys) == batchSize:
			failed = h.flush(failed)
		}
	}
	failed = h.flush(failed)
	h.out.Unlock()
	report(failed)
}

func report(failed []failure) {
	for _, f := range failed {
		f.echo.Done(f.echo, 0, f.err)
	}
}

// enter makes a request known to the reader, and adds it to the messages to be sent. It fails where as many as there are
// sequence numbers wait for one server.
func (h *hub) enter(e *Echo) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for range 1 << 16 {
		h.seq++
		k := key{e.To.WithZone(""), h.seq}
		if h.pending[k] == nil {
			binary.NativeEndian.PutUint64(e.nonce[:], rand.Uint64())
			binary.NativeEndian.PutUint64(e.nonce[8:], rand.Uint64())
			e.seq, h.pending[k] = k.seq, e
			h.add(k, e)
			return true
		}
	}
	return false
}

// add adds a request to the messages to be sent.
func (h *hub) add(k key, e *Echo) {
	m := h.messages[len(h.keys)]
	h.keys = append(h.keys, k)
	h.write(m.Buffers[0], e)
	to, ip := m.Addr.(*net.IPAddr), e.To.As16()
	to.IP, to.Zone = append(to.IP[:0], ip[:]...), e.To.Zone()
	e.left = time.Now()
}

// flush sends the messages, and adds to failed what can't be sent. An error is that of the first message then.
func (h *hub) flush(failed []failure) []failure {
	for i := 0; i < len(h.keys); {
		n, err := h.socket.WriteBatch(h.messages[i:len(h.keys)], 0)
		switch {
		case err == nil:
			i += n
		case errors.Is(err, syscall.ENOBUFS): // nor is there room for the others
			h.wait(h.keys[i:])
			i = len(h.keys)
		default:
			if e, _ := h.take(h.keys[i], nil); e != nil {
				failed = append(failed, failure{e, err})
			}
			i++
		}
	}
	h.keys = h.keys[:0]
	return failed
}

// wait keeps requests that there is no room for.
func (h *hub) wait(keys []key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range keys {
		if e := h.pending[k]; e != nil {
			e.left = time.Time{}
		}
	}
	if len(h.noRoom) == 0 {
		time.AfterFunc(roomWait, h.retry)
	}
	h.noRoom = append(h.noRoom, keys...)
}

// retry sends the requests that there was no room for, those that are still waited for.
func (h *hub) retry() {
	var failed []failure
	h.out.Lock()
	h.mu.Lock()
	keys := h.noRoom
	h.noRoom = nil
	h.mu.Unlock()
	for _, k := range keys {
		h.mu.Lock()
		if e := h.pending[k]; e != nil {
			h.add(k, e)
		}
		h.mu.Unlock()
		if len(h.keys) == batchSize {
			failed = h.flush(failed)
		}
	}
	failed = h.flush(failed)
	h.out.Unlock()
	report(failed)
}

// write writes a request.
func (h *hub) write(m []byte, e *Echo) {
	clear(m[:headerSize])
	m[0] = h.request
	binary.BigEndian.PutUint16(m[4:], h.id)
	binary.BigEndian.PutUint16(m[6:], e.seq)
	copy(m[headerSize:], e.nonce[:])
	if h.family == family4 { // for IPv6 the kernel does it
		binary.BigEndian.PutUint16(m[2:], checksum(m))
	}
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
	replies := newMessages(replySize)
	for {
		n, err := h.socket.ReadBatch(replies, 0)
		if errors.Is(err, net.ErrClosed) {
			h.end()
			return
		}
		if err != nil { // such as ENOBUFS: the next read may do
			time.Sleep(time.Millisecond)
			continue
		}
		now := time.Now()
		for _, m := range replies[:n] {
			if from, ok := netip.AddrFromSlice(m.Addr.(*net.IPAddr).IP); ok {
				h.receive(from.Unmap(), h.payload(m.Buffers[0][:m.N]), now)
			}
		}
	}
}

// payload is a message without the IP header, which precedes it for IPv4.
func (h *hub) payload(m []byte) []byte {
	if h.family == family4 && len(m) > 0 {
		return m[min(4*int(m[0]&15), len(m)):]
	}
	return m
}

// receive takes one message.
func (h *hub) receive(from netip.Addr, m []byte, now time.Time) {
	if len(m) < headerSize+len(nonce{}) || m[0] != h.reply || binary.BigEndian.Uint16(m[4:]) != h.id {
		return
	}
	k := key{from, binary.BigEndian.Uint16(m[6:])}
	if e, left := h.take(k, (*nonce)(m[headerSize:])); e != nil {
		e.Done(e, now.Sub(left), nil)
	}
}

// take ends the wait for a request, that with a nonce if there is one. It returns its echo, or nil, and when it left.
func (h *hub) take(k key, n *nonce) (*Echo, time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.pending[k]
	if e == nil || n != nil && *n != e.nonce {
		return nil, time.Time{}
	}
	delete(h.pending, k)
	return e, e.left
}

// forget implements pinger.
func (h *hub) forget(e *Echo) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := key{e.To.WithZone(""), e.seq}
	if h.pending[k] != e {
		return false
	}
	delete(h.pending, k)
	return true
}

// left implements pinger.
func (h *hub) left(e *Echo) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return e.left
}

// end ends all that is waited for.
func (h *hub) end() {
	h.mu.Lock()
	pending := h.pending
	h.pending = map[key]*Echo{}
	h.mu.Unlock()
	for _, e := range pending {
		e.Done(e, 0, net.ErrClosed)
	}
}

// close implements pinger.
func (h *hub) close() error {
	if err := h.conn.Close(); err != nil {
		return fmt.Errorf("closing the ping socket: %w", err)
	}
	<-h.closed
	return nil
}
