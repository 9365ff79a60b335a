package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"ldirectord/run"
)

// question is a request on a device for the owner of an address.
type question struct {
	device device
	source netip.Addr // our address on that device
	addr   netip.Addr
}

// neighbours are the hardware addresses that answered for an address.
type neighbours map[netip.Addr][]string

func (n neighbours) add(addr netip.Addr, hardware string) {
	if !slices.Contains(n[addr], hardware) {
		n[addr] = append(n[addr], hardware)
	}
}

// protocol finds the owners of addresses on one device.
type protocol interface {
	SetDeadline(time.Time) error
	Close() error
	send(question) error
	receive(buffer []byte) (n int, err error)
	// read returns the address and the hardware address of an answer.
	read(answer []byte) (addr netip.Addr, hardware string, ok bool)
}

// askNeighbours sends the requests for one device and family and collects answers until ctx ends. It always waits that
// long, because only an answer shows a server that should not answer.
func askNeighbours(ctx context.Context, questions []question, found func(netip.Addr, string)) error {
	d, open := questions[0].device, openARP
	if questions[0].source.Is6() {
		open = openND
	}
	p, err := open(d)
	if err != nil {
		return fmt.Errorf("opening a socket to ask for addresses: %w", err)
	}
	defer p.Close()
	deadline, _ := ctx.Deadline()
	if err := p.SetDeadline(deadline); err != nil {
		return fmt.Errorf("asking for addresses on %s: %w", d.Name, err)
	}
	sent := make(chan error, 1)
	go func() { sent <- sendTwice(ctx, questions, p.send) }()
	return errors.Join(receiveAll(p, found), <-sent)
}

// receiveAll reports answers until the deadline.
func receiveAll(p protocol, found func(addr netip.Addr, hardware string)) error {
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

// resendAfter is when a question is sent again, as its packet may be lost.
const resendAfter = probeTime / 3

// sendTwice sends requests, and again later, unless ctx or the socket's deadline ends before.
func sendTwice(ctx context.Context, questions []question, send func(question) error) error {
	for range 2 {
		for _, q := range questions {
			err := send(q)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("asking for %s on %s: %w", q.addr, q.device.Name, err)
			}
		}
		if !run.Pause(ctx, resendAfter) {
			return nil
		}
	}
	return nil
}
