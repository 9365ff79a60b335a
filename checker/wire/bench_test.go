package checker

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

func BenchmarkDialOwn(b *testing.B) {
	s := serve(b, func(*testServer, net.Conn) {})
	b.ReportAllocs()
	for b.Loop() {
		c, err := dialTCP(b.Context(), s.addr, time.Now().Add(patient))
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}

func BenchmarkDialNet(b *testing.B) {
	s := serve(b, func(*testServer, net.Conn) {})
	b.ReportAllocs()
	for b.Loop() {
		d := net.Dialer{Deadline: time.Now().Add(patient), KeepAlive: -1}
		c, err := d.DialTCP(b.Context(), "tcp", netip.AddrPort{}, s.addr)
		if err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}
