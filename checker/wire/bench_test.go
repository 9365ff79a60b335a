package wire

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

func BenchmarkDialOwn(b *testing.B) {
	addr := listen(b)
	b.ReportAllocs()
	for b.Loop() {
		c, err := dialTCP(b.Context(), addr, time.Now().Add(time.Minute))
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

func BenchmarkDialNet(b *testing.B) {
	addr := listen(b)
	b.ReportAllocs()
	for b.Loop() {
		d := net.Dialer{Deadline: time.Now().Add(time.Minute), KeepAlive: -1}
		c, err := d.DialTCP(b.Context(), "tcp", netip.AddrPort{}, addr)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

// listen returns the address of a server that closes each connection.
func listen(b *testing.B) netip.AddrPort {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Skip("can't listen: ", err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}
