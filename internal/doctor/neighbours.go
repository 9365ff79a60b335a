package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"ldirectord/internal/runfile"
)

// inquiry asks, on one device, which machines answer for these addresses.
type inquiry struct {
	device device
	source netip.Addr // our address on that device
	addrs  []netip.Addr
}

// neighbours maps an address to the hardware addresses that answered for it.
type neighbours map[netip.Addr][]string

func (n neighbours) add(addr netip.Addr, hardware string) {
	if !slices.Contains(n[addr], hardware) {
		n[addr] = append(n[addr], hardware)
	}
}

// finder finds out which machines answer for addresses on one device.
type finder interface {
	SetDeadline(time.Time) error
	Close() error
	send(netip.Addr) error
	receive(buffer []byte) (n int, err error)
	// read returns the IP address and the hardware address that an answer contains.
	read(answer []byte) (addr netip.Addr, hardware string, ok bool)
}

// askNeighbours sends the requests for one device and address family, and collects answers until ctx ends. It does not
// stop at the first answer, because a later one may come from a server that should not answer.
func askNeighbours(ctx context.Context, q inquiry, found func(netip.Addr, string)) error {
	open := openARP
	if q.source.Is6() {
		open = openND
	}
	p, err := open(q)
	if err != nil {
		return fmt.Errorf("opening a socket to ask for addresses: %w", err)
	}
	defer p.Close()
	deadline, _ := ctx.Deadline()
	if err := p.SetDeadline(deadline); err != nil {
		return fmt.Errorf("asking for addresses on %s: %w", q.device.Name, err)
	}
	sent := make(chan error, 1)
	go func() { sent <- q.sendTwice(ctx, p.send) }()
	return errors.Join(receiveAll(p, found), <-sent)
}

// receiveAll calls found for each answer until the deadline.
func receiveAll(p finder, found func(addr netip.Addr, hardware string)) error {
	buffer := make([]byte, 1500)
	for {
		n, err := p.receive(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receiving answers for addresses: %w", err)
		}
		if addr, hardware, ok := p.read(buffer[:n]); ok {
			found(addr, hardware)
		}
	}
}

// resendAfter is the time after which a request is sent again, because packets may be lost.
const resendAfter = probeTime / 3

// sendTwice sends all requests. After resendAfter it sends them again, unless ctx ends or the socket's deadline passes
// first.
func (q inquiry) sendTwice(ctx context.Context, send func(netip.Addr) error) error {
	for range 2 {
		for _, addr := range q.addrs {
			err := send(addr)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("asking for %s on %s: %w", addr, q.device.Name, err)
			}
		}
		if !runfile.Pause(ctx, resendAfter) {
			return nil
		}
	}
	return nil
}
