package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// resolver looks up names for all checks. Simultaneous look-ups of one name are one.
var resolver = &net.Resolver{PreferGo: true, Dial: dialNameServer}

// lack is a shortage because of which a name server was not asked. Package net has only its text or, if another name
// server or the question for the other family had an answer, reports that the name does not exist.
type lack struct {
	err error
	at  time.Time
}

var lastLack atomic.Pointer[lack]

func noteLack(err error) {
	// for a name server this error mostly means that we have no address of its family
	if IsShortage(err) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
		lastLack.Store(&lack{err, time.Now()})
	}
}

// packets is a connection to a name server over UDP.
type packets interface {
	net.Conn
	net.PacketConn
}

// questions notes a shortage because of which a question is not sent.
type questions struct{ packets }

func (q questions) Write(p []byte) (int, error) {
	n, err := q.packets.Write(p)
	noteLack(err)
	return n, err
}

func dialNameServer(ctx context.Context, network, address string) (net.Conn, error) {
	dial := net.DefaultResolver.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	c, err := dial(ctx, network, address)
	noteLack(err)
	if p, is := c.(packets); is {
		return questions{p}, nil
	}
	return c, err
}

// Resolve looks up a host name. It returns a literal address unchanged.
func Resolve(ctx context.Context, host string, timeout time.Duration) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	w := WatchOf(ctx)
	ctx, cancel := context.WithDeadline(ctx, w.End(timeout))
	defer cancel()
	begun := time.Now()
	addrs, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		if l := lastLack.Load(); l != nil && !l.at.Before(begun) {
			err = l.err
		}
		return nil, NewFault(err, "look-up of %s failed: %s", Show(host), lookupReason(err))
	}
	w.Mark(MarkLookup)
	w.Remark("%s has %v", host, addrs)
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return addrs, nil
}
