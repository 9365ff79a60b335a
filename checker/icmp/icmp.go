// Package icmp sends ICMP echo requests, and waits for their replies.
package icmp

import (
	"errors"
	"net"
	"sync"
	"syscall"
)

// Pinger sends echo requests. It opens its sockets when they are first needed, and is safe for use by several
// goroutines.
type Pinger struct {
	asked waiting

	mu     sync.Mutex     // guards what follows
	opened map[way]pinger // nil when closed
}

// way is the family and scope of the echo requests of one socket.
type way struct{ ipv6, onLink bool }

// pinger sends the echo requests of one way.
type pinger interface {
	send(batch []*Echo)
	Close() error
}

// NewPinger returns a pinger: one raw socket for each family (two if some requests must not pass a router), or, without
// the right to raw sockets, an unprivileged socket for each ping.
func NewPinger() *Pinger {
	return &Pinger{asked: waiting{echoes: map[nonce]*Echo{}}, opened: map[way]pinger{}}
}

// Send sends echo requests, with few system calls for many. It does not wait for their replies.
func (p *Pinger) Send(batch []*Echo) {
	byWay := map[way][]*Echo{}
	for _, e := range batch {
		w := way{e.To.Is6(), e.OnLink}
		byWay[w] = append(byWay[w], e)
	}
	for w, echoes := range byWay {
		how, err := p.open(w)
		if err == nil {
			how.send(echoes)
			continue
		}
		for _, e := range echoes {
			e.Done(e, 0, err)
		}
	}
}

// open returns the sender for a way. The kind of socket is chosen at the first call.
func (p *Pinger) open(w way) (pinger, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened == nil {
		return nil, net.ErrClosed
	}
	if how := p.opened[w]; how != nil {
		return how, nil
	}
	h, err := openHub(&p.asked, w)
	switch {
	case isDenied(err):
		p.opened[w] = single{&p.asked}
	case err != nil:
		return nil, err
	default:
		p.opened[w] = h
	}
	return p.opened[w], nil
}

// ErrDenied is the error of an echo if the program may not open a socket for it.
var ErrDenied = errors.New("forbidden on this machine; CAP_NET_RAW permits it, or a group in net.ipv4.ping_group_range")

func isDenied(err error) bool { return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) }

// Close closes the sockets. Echoes without a reply end with net.ErrClosed.
func (p *Pinger) Close() {
	p.mu.Lock()
	opened := p.opened
	p.opened = nil
	p.mu.Unlock()
	for _, how := range opened {
		how.Close()
	}
	p.asked.end()
}
