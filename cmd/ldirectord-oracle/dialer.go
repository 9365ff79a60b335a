package main

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

// dialer gives the driver a socket for each connection: the first connection, and one for each redirect.
type dialer struct {
	sockets []net.Conn // the remaining sockets
	current net.Conn   // nil before the first connection
	lost    atomic.Bool
	failed  error // why another connection could not be opened
}

var errNowhere = errors.New("the listener redirects too often, or to an invalid port")

// DialContext implements configurations.DialerContext. It uses only the port of the address, because otherwise a
// redirect could make the check test another server.
func (d *dialer) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	_, text, _ := net.SplitHostPort(address)
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || len(d.sockets) == 0 {
		d.failed = errNowhere
		return nil, d.failed
	}
	if d.current != nil {
		d.current.Close()
	}
	d.current, d.sockets = &socket{d.sockets[0], &d.lost}, d.sockets[1:]
	_, err = d.current.Write(binary.BigEndian.AppendUint16(nil, uint16(port)))
	return d.current, err
}

// socket is a connection that records whether it failed before it was closed here.
type socket struct {
	net.Conn
	lost *atomic.Bool
}

func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	return n, s.note(err)
}

func (s *socket) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	return n, s.note(err)
}

func (s *socket) note(err error) error {
	if err != nil && !errors.Is(err, net.ErrClosed) {
		s.lost.Store(true)
	}
	return err
}

// SetDeadline, SetReadDeadline and SetWriteDeadline have no effect, because ldirectord enforces the deadline.
func (*socket) SetDeadline(time.Time) error      { return nil }
func (*socket) SetReadDeadline(time.Time) error  { return nil }
func (*socket) SetWriteDeadline(time.Time) error { return nil }
