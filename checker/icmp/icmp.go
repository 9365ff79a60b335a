// Package icmp sends ICMP echo requests, and waits for their replies.
package icmp

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"ldirectord/checker/settings"
	"ldirectord/internal/raw"
)

// Pinger sends echo requests. It opens its sockets when they are first needed, and is safe for use by several
// goroutines.
type Pinger struct {
	asked waiting

	mu     sync.Mutex     // guards what follows
	opened map[way]pinger // nil when closed
}

// way is what all echo requests sent from one socket share: their family and their path.
type way struct {
	ipv6 bool
	settings.Path
}

// pinger sends the echo requests of one way.
type pinger interface {
	send(batch []*Echo)
	Close() error
}

// NewPinger returns a pinger. It uses one raw socket for each family and path. If raw sockets are not permitted, it
// uses an unprivileged socket for each ping, but only for paths without an Origin.
func NewPinger() *Pinger {
	return &Pinger{asked: waiting{echoes: map[nonce]*Echo{}}, opened: map[way]pinger{}}
}

// Send sends a batch of echo requests with few system calls. It does not wait for their replies.
func (p *Pinger) Send(batch []*Echo) {
	byWay := map[way][]*Echo{}
	for _, e := range batch {
		w := way{e.To.Is6(), e.Path}
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

// outlived is how long a socket stays open after its device was replaced, because another goroutine may still be
// sending from it.
const outlived = time.Minute

// open returns the sender for a way. The first call chooses the kind of socket. A raw socket stays open when its
// address or device is removed, so each call tests whether both still exist.
func (p *Pinger) open(w way) (pinger, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened == nil {
		return nil, net.ErrClosed
	}
	device, err := raw.TryOrigin(w.ipv6, w.Origin)
	if err != nil {
		return nil, err
	}
	switch how := p.opened[w].(type) {
	case nil:
	case *hub:
		if how.device == device {
			return how, nil
		}
		time.AfterFunc(outlived, func() { how.Close() })
	default:
		return how, nil
	}
	h, err := openHub(&p.asked, w)
	switch {
	case errors.Is(err, os.ErrPermission) && w.Origin.IsUsual():
		p.opened[w] = single{&p.asked}
	case err != nil:
		return nil, err
	default:
		h.device, p.opened[w] = device, h
	}
	return p.opened[w], nil
}

// ErrDenied is the error of an echo for which the program is not permitted to open even an unprivileged socket.
var ErrDenied = errors.New("forbidden on this machine; it needs CAP_NET_RAW, or a group in net.ipv4.ping_group_range")

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
