package checker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Datagrams get lost: a question is asked again after a while, then after twice as long, up to a
// limit (RFC 3261, 17.1.1.2).
const maxResend = 4 * time.Second

// maxDatagram is the longest that UDP carries, in bytes.
const maxDatagram = 1<<16 - 1

var datagramPool = sync.Pool{New: func() any { return new([maxDatagram]byte) }}

// errNotYet is returned for a datagram that is not the answer: it may come yet.
var errNotYet = errors.New("not the answer")

// question is what is asked of a server by UDP.
type question struct {
	to      netip.AddrPort
	timeout time.Duration
	resend  time.Duration // after how long it is asked again; 0: never
	// accept looks at a datagram. With errNotYet more are waited for.
	accept func(from *conn, datagram []byte) error

	patience int // how many other datagrams are looked at; 0: as many as come
	strays   int // datagrams that came and were not the answer
}

// maxStrays is the patience of protocols in which each answer names its question: none has another reason than
// to keep us busy.
const maxStrays = 100

// dialUDP opens a socket for datagrams to and from a server.
func dialUDP(ctx context.Context, to netip.AddrPort, deadline time.Time) (*conn, error) {
	if to.Port() == 0 {
		return nil, errors.New("no port to ask: neither the real server nor checkport gives one")
	}
	udp, err := openUDP(ctx, to)
	if err != nil {
		return nil, stageFault("udp", err)
	}
	c, err := guard(ctx, udp, deadline)
	if err != nil {
		return nil, stageFault("udp", err)
	}
	c.watch.remark("datagrams to %s", to)
	return c, nil
}

// ask asks until an answer is accepted. The request is made for the address it is sent from.
func (q *question) ask(ctx context.Context, deadline time.Time, request func(from net.Addr) []byte) error {
	c, err := dialUDP(ctx, q.to, deadline)
	if err != nil {
		return err
	}
	defer c.Close()
	packet := request(c.LocalAddr())
	for wait := q.resend; ; wait = min(2*wait, maxResend) {
		if _, err := c.Write(packet); err != nil {
			return stageFault("udp", err)
		}
		until := deadline
		if again := time.Now().Add(wait); wait > 0 && again.Before(deadline) {
			until = again
		}
		err := q.await(ctx, c, until)
		if !isTimeout(err) || until == deadline {
			return q.explain(err)
		}
	}
}

// await reads datagrams up to a time.
func (q *question) await(ctx context.Context, c *conn, until time.Time) error {
	c.SetReadDeadline(until)
	if ctx.Err() != nil { // the new deadline may have replaced that of the cancellation
		return errStopped
	}
	buf := datagramPool.Get().(*[maxDatagram]byte)
	defer datagramPool.Put(buf)
	for {
		n, err := c.Read(buf[:])
		if err != nil {
			return err
		}
		if err := q.accept(c, buf[:n]); !errors.Is(err, errNotYet) {
			return err
		}
		if q.strays++; q.strays == q.patience {
			return fmt.Errorf("no answer, but %d other datagrams", q.strays)
		}
	}
}

// explain puts an error of the network into words.
func (q *question) explain(err error) error {
	var network net.Error
	switch {
	case isTimeout(err) && q.strays > 0:
		return &fault{fmt.Sprintf("no answer in %v, but other datagrams", q.timeout), err}
	case isTimeout(err):
		return &fault{fmt.Sprintf("no answer in %v", q.timeout), err}
	case errors.As(err, &network):
		return stageFault("udp", err)
	}
	return err
}
