package icmp

import (
	"errors"
	"net"
	"net/netip"
	"os"

	goping "github.com/go-ping/ping"
)

// single opens an unprivileged socket and starts a goroutine for each echo. It polls each socket, so it is used only if
// raw sockets are not permitted.
type single struct{ *waiting }

// send implements pinger.
func (s single) send(batch []*Echo) {
	for _, e := range batch {
		p := goping.New("")
		p.SetIPAddr(&net.IPAddr{IP: e.To.AsSlice(), Zone: e.To.Zone()})
		p.SetPrivileged(false)
		p.SetLogger(goping.NoopLogger{})
		p.Count, p.Size, p.RecordRtts = 1, dataSize, false
		if e.OnLink {
			p.TTL = 1
		}
		s.enter(e, p.Stop)
		go s.run(p, e.To, e.nonce)
	}
}

// run sends a ping, and waits until its reply comes or the ping is stopped.
func (s single) run(p *goping.Pinger, to netip.Addr, n nonce) {
	err := p.Run()
	stats := p.Statistics()
	var call *os.SyscallError
	switch {
	case errors.Is(err, os.ErrPermission) && errors.As(err, &call) && call.Syscall == "socket":
		// the process is not permitted to open a socket, see wire.IsShortage
		err = ErrDenied
	case err == nil && stats.PacketsRecv == 0:
		err = os.ErrDeadlineExceeded
	}
	if e := s.take(to, n); e != nil {
		e.Done(e, stats.AvgRtt, err)
	}
}

// Close implements pinger.
func (single) Close() error { return nil }
