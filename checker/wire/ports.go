package wire

import (
	"net/netip"
	"sync"
	"syscall"
	"time"
)

const (
	halfOpen = time.Minute // how long IPVS remembers a connection without an answer
	maxPorts = 10          // how many source ports are tried; the last is used even if Ports contains it
)

// Ports holds the TCP source ports of connections that have not got an answer. IPVS finds a connection by its addresses
// and ports alone, whatever the mark of its packets. From the same port, the check of another server would therefore
// reach the silent server. Several goroutines may use Ports at once.
type Ports struct {
	mu           sync.Mutex
	since        time.Time
	last, before map[lane]bool // since that time, and in the period before it
}

// lane is a source port and a destination.
type lane struct {
	to   netip.AddrPort
	from uint16
}

// takes reports whether a socket's port may be used, and adds it to the ports without an answer. The kernel chose the
// port when the socket began to connect. If the port were bound earlier, other programs on this machine could not use
// it.
func (v *Via) takes(fd int, to netip.AddrPort) bool {
	if v == nil || v.Ports == nil {
		return true
	}
	p, l, now := v.Ports, lane{to, localOf(fd).Port()}, time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.since) >= halfOpen {
		p.since, p.last, p.before = now, map[lane]bool{}, p.last
	}
	isFree := l.from == 0 || !p.last[l] && !p.before[l] // 0: it is not connected
	p.last[l] = true
	return isFree
}

// Connected notes that a socket is connected. Its port may then be used again, because the kernel forgets the
// connection when it ends.
func (v *Via) Connected(fd int, to netip.AddrPort) {
	if v != nil && v.Ports != nil {
		v.Ports.mu.Lock()
		defer v.Ports.mu.Unlock()
		delete(v.Ports.last, lane{to, localOf(fd).Port()})
	}
}

// localOf returns the local address of a socket, or the zero value if it has none.
func localOf(fd int) netip.AddrPort {
	local, _ := syscall.Getsockname(fd)
	switch a := local.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}
