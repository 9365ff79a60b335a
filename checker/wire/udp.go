package wire

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Datagrams can get lost, so a request is sent again after a while. The wait doubles each time, up to maxResend (RFC
// 3261, 17.1.2.2).
const maxResend = 4 * time.Second

// maxDatagram is the length of the longest UDP datagram, in bytes.
const maxDatagram = 1<<16 - 1

var datagramPool = sync.Pool{New: func() any { return new([maxDatagram]byte) }}

// ErrNotYet is returned for a datagram that is not the answer. The answer may still arrive.
var ErrNotYet = errors.New("not the answer")

// Question is a request over UDP.
type Question struct {
	To      netip.AddrPort
	Timeout time.Duration
	Resend  time.Duration // the wait before it is sent again; 0: never
	// Accept judges a datagram. After ErrNotYet the check waits for another datagram.
	Accept func(datagram []byte) error

	Patience int // the wait ends after this many datagrams that are not the answer; 0: no limit
	Strays   int // received datagrams that were not the answer
}

// MaxStrays is the Patience for protocols in which each answer identifies its question. Other datagrams are errors or
// attacks.
const MaxStrays = 100

// DialUDP opens a socket for datagrams to and from a server.
func DialUDP(ctx context.Context, to netip.AddrPort, timeout time.Duration) (*Conn, error) {
	if to.Port() == 0 {
		return nil, errors.New("no port to ask: neither the real server nor checkport gives one")
	}
	var c *Conn
	udp, err := OpenUDP(ctx, to)
	if err == nil {
		c, err = Guard(ctx, udp, WatchOf(ctx).End(timeout))
	}
	if err != nil {
		return nil, StageFault("udp", err)
	}
	c.watch.Remark("datagrams to %s", to)
	return c, nil
}

// Ask sends the request, and repeats it until Accept returns nil or an error other than ErrNotYet, or until the
// timeout. The request may contain the address that it is sent from.
func (q *Question) Ask(ctx context.Context, request func(from *Conn) []byte) error {
	c, err := DialUDP(ctx, q.To, q.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	deadline, packet := c.Deadline, request(c)
	for wait := q.Resend; ; wait = min(2*wait, maxResend) {
		if _, err := c.Write(packet); err != nil {
			return StageFault("udp", err)
		}
		until := deadline
		if again := time.Now().Add(wait); wait > 0 && again.Before(deadline) {
			until = again
		}
		switch err := q.await(c, until); {
		case !IsTimeout(err):
			return err
		case until != deadline:
		case q.Strays > 0:
			return NewFault(err, "no answer in %v, only other datagrams", q.Timeout)
		default:
			return NewFault(err, "no answer in %v", q.Timeout)
		}
	}
}

// await reads datagrams until the given time.
func (q *Question) await(c *Conn, until time.Time) error {
	c.SetReadDeadline(until)
	if c.ctx.Err() != nil { // the new deadline may have replaced that of the cancellation
		return ErrStopped
	}
	buf := datagramPool.Get().(*[maxDatagram]byte)
	defer datagramPool.Put(buf)
	for {
		n, err := c.Read(buf[:])
		if err != nil {
			return StageFault("udp", err)
		}
		if err := q.Accept(buf[:n]); !errors.Is(err, ErrNotYet) {
			return err
		}
		if q.Strays++; q.Strays == q.Patience {
			return fmt.Errorf("no answer, only %d other datagrams", q.Strays)
		}
	}
}
