package daemon

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"

	"golang.org/x/net/dns/dnsmessage"

	"ldirectord/internal/resolve"
)

// wholeNames looks up names for lists. An incomplete answer counts as a failure. The answer for a name without an
// address is empty. The next search domain is tried only if the name is known to have no address in the one before,
// because with another domain it is a different name.
type wholeNames struct{ systemNames }

// Host implements resolve.Resolver. It returns resolve.ErrNoName if the name exists in no search domain.
func (n wholeNames) Host(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	var seen existence
	addrs, err := n.ask(ctx, &net.Resolver{PreferGo: true, StrictErrors: true, Dial: seen.dial}, name, ipv6)
	failed, is := errors.AsType[*net.DNSError](err)
	switch {
	case !is || !failed.IsNotFound:
		return addrs, brief(err)
	case seen.Load():
		return nil, nil
	}
	return nil, resolve.ErrNoName
}

// existence is set when an answer shows that the name exists, because package net returns the same error for a missing
// name and for a missing address.
type existence struct{ atomic.Bool }

// dial connects to a name server. Package net would accept an incomplete answer, and after a refusal it would try
// the next search domain. After a server failure it does neither, so the connection turns each answer that can't be
// used into a server failure.
func (e *existence) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := resolve.DialServer(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if packets, is := conn.(*net.UDPConn); is {
		return wholePackets{packets, e}, nil
	}
	return &wholeStream{Conn: conn, seen: e}, nil
}

// wholePackets is a connection to a name server over UDP.
type wholePackets struct {
	*net.UDPConn
	seen *existence
}

func (c wholePackets) Read(p []byte) (int, error) {
	n, err := c.UDPConn.Read(p)
	c.seen.failUnlessWhole(p[:n], false)
	return n, err
}

// wholeStream is a connection to a name server over TCP, where each message is preceded by its length.
type wholeStream struct {
	net.Conn
	seen *existence
	rest []byte // of the last message, not read yet
}

func (c *wholeStream) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		var length [2]byte
		if _, err := io.ReadFull(c.Conn, length[:]); err != nil {
			return 0, err
		}
		message := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c.Conn, message); err != nil {
			return 0, err
		}
		c.seen.failUnlessWhole(message, true)
		c.rest = append(length[:], message...)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// failUnlessWhole turns an answer into a server failure, unless the answer is complete or the name does not exist. A
// complete answer may have no address. It shows that the name exists. After a truncated answer over UDP, package net
// asks again over TCP, but there it would accept a truncated answer.
func (e *existence) failUnlessWhole(message []byte, isStream bool) {
	var p dnsmessage.Parser
	head, err := p.Start(message)
	if err != nil || head.Truncated && !isStream {
		return
	}
	err = p.SkipAllQuestions()
	_, none := p.AnswerHeader()
	isReferral := none == dnsmessage.ErrSectionDone && !head.Authoritative && !head.RecursionAvailable
	isWhole := cmp.Or(err, p.SkipAllAnswers()) == nil && !isReferral && !head.Truncated
	switch {
	case head.RCode == dnsmessage.RCodeNameError:
	case head.RCode == dnsmessage.RCodeSuccess && isWhole:
		e.Store(true)
	default:
		message[3] = message[3]&^0xf | byte(dnsmessage.RCodeServerFailure)
		clear(message[6:12]) // the record counts
	}
}
