package daemon

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
)

// wholeNames looks up names for lists: half an answer is none, and the answer for a name without an address is empty.
// If it is not known whether a search domain has the name, the next one is not asked: its name is another one.
type wholeNames struct{ systemNames }

// Host implements resolve.Resolver.
func (n wholeNames) Host(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	addrs, err := n.ask(ctx, &net.Resolver{PreferGo: true, StrictErrors: true, Dial: dialWhole}, name, ipv6)
	if failed, is := errors.AsType[*net.DNSError](err); is && failed.IsNotFound {
		return nil, nil
	}
	return addrs, brief(err)
}

// dialWhole connects to a name server. Package net takes a part of an answer, and after a refusal asks in the next
// search domain. After a failure of the server it does neither, so each answer that does not count becomes one.
func dialWhole(ctx context.Context, network, address string) (net.Conn, error) {
	dial := net.DefaultResolver.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if packets, is := conn.(*net.UDPConn); is {
		return wholePackets{packets}, nil
	}
	return &wholeStream{Conn: conn}, nil
}

// wholePackets is a connection to a name server over UDP.
type wholePackets struct{ *net.UDPConn }

func (c wholePackets) Read(p []byte) (int, error) {
	n, err := c.UDPConn.Read(p)
	failUnlessWhole(p[:n])
	return n, err
}

// wholeStream is a connection to a name server over TCP, where each message has its length in front.
type wholeStream struct {
	net.Conn
	rest []byte // of the last message
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
		failUnlessWhole(message)
		c.rest = append(length[:], message...)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// failUnlessWhole makes an answer a failure of the server, except a whole one with the addresses of a name or without
// any. Package net asks again over TCP for one that is marked as cut.
func failUnlessWhole(message []byte) {
	var p dnsmessage.Parser
	head, err := p.Start(message)
	if err != nil || head.Truncated {
		return
	}
	err = p.SkipAllQuestions()
	_, none := p.AnswerHeader()
	isReferral := none == dnsmessage.ErrSectionDone && !head.Authoritative && !head.RecursionAvailable
	isWhole := cmp.Or(err, p.SkipAllAnswers()) == nil && !isReferral
	switch {
	case head.RCode == dnsmessage.RCodeNameError:
	case head.RCode == dnsmessage.RCodeSuccess && isWhole:
	default:
		message[3] = message[3]&^0xf | byte(dnsmessage.RCodeServerFailure)
		clear(message[6:12]) // the numbers of records
	}
}
