package doctor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// question is a request on a device for the owner of an address.
type question struct {
	device device
	source netip.Addr // ours on that device
	addr   netip.Addr
}

// neighbours are the hardware addresses of those that answered for an address.
type neighbours map[netip.Addr][]string

func (n neighbours) add(addr netip.Addr, hardware string) {
	if !slices.Contains(n[addr], hardware) {
		n[addr] = append(n[addr], hardware)
	}
}

func (n neighbours) merge(more neighbours) {
	for addr, list := range more {
		for _, hardware := range list {
			n.add(addr, hardware)
		}
	}
}

// resendAfter is when a question is sent again, as its packet may be lost.
const resendAfter = probeTime / 3

// askARP asks all questions of IPv4 on one device (RFC 826) until ctx ends. It always waits
// that long: a server that should not answer is found only by its answer.
func askARP(ctx context.Context, questions []question) (neighbours, error) {
	d := questions[0].device
	f, err := openPackets(d.index)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	deadline, _ := ctx.Deadline()
	if err := f.SetDeadline(deadline); err != nil {
		return nil, fmt.Errorf("asking for addresses on %s: %w", d.name, err)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("asking for addresses on %s: %w", d.name, err)
	}
	sent := make(chan error, 1)
	go func() {
		sent <- sendTwice(ctx, questions, func(q question) error { return sendPacket(raw, q) })
	}()
	found, err := receiveARP(raw)
	return found, errors.Join(err, <-sent)
}

// openPackets opens a socket for the ARP packets of a device (packet(7)); this needs CAP_NET_RAW.
func openPackets(index int) (*os.File, error) {
	protocol := int(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ARP)))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, fmt.Errorf("opening a socket for ARP: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: uint16(protocol), Ifindex: index}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("opening a socket for ARP: %w", err)
	}
	return os.NewFile(uintptr(fd), "arp"), nil
}

// sendTwice sends questions, and again later, unless ctx or the socket's deadline ends before.
func sendTwice(ctx context.Context, questions []question, send func(question) error) error {
	for range 2 {
		for _, q := range questions {
			err := send(q)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("asking for %s on %s: %w", q.addr, q.device.name, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(resendAfter):
		}
	}
	return nil
}

func sendPacket(raw syscall.RawConn, q question) error {
	to := &unix.SockaddrLinklayer{
		Protocol: binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ARP)),
		Ifindex:  q.device.index, Halen: 6, Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	}
	var sent error
	err := raw.Write(func(fd uintptr) bool {
		sent = unix.Sendto(int(fd), arpRequest(q), 0, to)
		return !errors.Is(sent, unix.EAGAIN)
	})
	return errors.Join(err, sent)
}

// The fields of an ARP packet for Ethernet and IPv4.
const (
	arpLength      = 28
	arpRequestCode = 1
	arpReplyCode   = 2
)

func arpRequest(q question) []byte {
	b := []byte{0, 1, 8, 0, 6, 4, 0, arpRequestCode}
	b = append(b, q.device.hardware...)
	b = append(b, q.source.AsSlice()...)
	b = append(b, make([]byte, 6)...)
	return append(b, q.addr.AsSlice()...)
}

// parseARP reads a reply: whose address, and by which hardware.
func parseARP(b []byte) (addr netip.Addr, hardware string, ok bool) {
	if len(b) < arpLength || [6]byte(b) != [6]byte{0, 1, 8, 0, 6, 4} || binary.BigEndian.Uint16(b[6:]) != arpReplyCode {
		return netip.Addr{}, "", false
	}
	return netip.AddrFrom4([4]byte(b[14:])), net.HardwareAddr(b[8:14]).String(), true
}

// receiveARP collects replies until the deadline.
func receiveARP(raw syscall.RawConn) (neighbours, error) {
	found := neighbours{}
	buffer := make([]byte, 128)
	for {
		var n int
		var received error
		err := raw.Read(func(fd uintptr) bool {
			n, _, received = unix.Recvfrom(int(fd), buffer, 0)
			return !errors.Is(received, unix.EAGAIN)
		})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return found, nil
		}
		if err = errors.Join(err, received); err != nil {
			return nil, fmt.Errorf("receiving answers for addresses: %w", err)
		}
		if addr, hardware, ok := parseARP(buffer[:n]); ok {
			found.add(addr, hardware)
		}
	}
}
