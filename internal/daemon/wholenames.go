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
// address is empty. The next search domain is tried only if the name is known not to exist in the one before, because
// it is a different name there.
type wholeNames struct{ systemNames }

// Host implements resolve.Resolver. It returns resolve.ErrNoName if the name exists in no search domain.
func (n wholeNames) Host(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	var exists atomic.Bool
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialWhole(ctx, network, address, &exists)
	}
	addrs, err := n.ask(ctx, &net.Resolver{PreferGo: true, StrictErrors: true, Dial: dial}, name, ipv6)
	failed, is := errors.AsType[*net.DNSError](err)
	switch {
	case !is || !failed.IsNotFound:
		return addrs, brief(err)
	case exists.Load():
		return nil, nil
	}
	return nil, resolve.ErrNoName
}

// dialWhole connects to a name server. Package net would accept an incomplete answer, and after a refusal it would try
// the next search domain. After a server failure it does neither, so the connection turns each answer that can't be
// used into a server failure. The connection sets exists when an answer shows that the name exists, because package net
// returns the same error for a missing name and for a missing address.
func dialWhole(ctx context.Context, network, address string, exists *atomic.Bool) (net.Conn, error) {
	conn, err := resolve.DialServer(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if packets, is := conn.(*net.UDPConn); is {
		return wholePackets{packets, exists}, nil
	}
	return &wholeStream{Conn: conn, exists: exists}, nil
}

// wholePackets is a connection to a name server over UDP.
type wholePackets struct {
	*net.UDPConn
	exists *atomic.Bool
}

func (c wholePackets) Read(p []byte) (int, error) {
	n, err := c.UDPConn.Read(p)
	failUnlessWhole(p[:n], false, c.exists)
	return n, err
}

// wholeStream is a connection to a name server over TCP, where each message is preceded by its length.
type wholeStream struct {
	net.Conn
	exists *atomic.Bool
	rest   []byte // of the last message, not read yet
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
		failUnlessWhole(message, true, c.exists)
		c.rest = append(length[:], message...)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// failUnlessWhole turns an answer into a server failure, unless the answer is complete or the name does not exist. A
// complete answer may have no address. It shows that the name exists, and sets exists. After a truncated answer over
// UDP, package net asks again over TCP, but there it would accept a truncated answer.
func failUnlessWhole(message []byte, isStream bool, exists *atomic.Bool) {
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
		exists.Store(true)
	default:
		message[3] = message[3]&^0xf | byte(dnsmessage.RCodeServerFailure)
		clear(message[6:12]) // the record counts
	}
}
