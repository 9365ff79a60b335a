package lab

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"ldirectord/internal/testkit"
	"ldirectord/internal/testkit/nameserver"
)

// A list, or the answers for a name, are exchanged under traffic, with troubles between them. No request fails, and no
// server has a weight that no whole list or answer has named lately.
func TestKernelLists(t *testing.T) { newLabOf(t, 4).play("lists") }
func TestKernelNames(t *testing.T) { newLabOf(t, 4).play("names") }

// lately is how long a server may keep its weight after a list without it: the list must be still for a second, and a
// file that is cut or can not be written keeps the one before in force meanwhile. The time that a daemon needs to start
// comes on top.
const lately = 8 * time.Second

// names notes that these servers are named from now on, and no others.
func (s *scene) names(servers []string) {
	s.named.Range(func(addr, left any) bool {
		if left.(time.Time).IsZero() {
			s.named.Store(addr, time.Now())
		}
		return true
	})
	for _, ns := range servers {
		s.named.Store(address(ns), time.Time{})
	}
}

// looks reads the table until the script ends, and tells each server with a weight that was not named lately.
func (s *scene) looks() {
	end, looked, limit := make(chan struct{}), make(chan int), lately+s.started
	go func() {
		times := 0
		for ; every(end, 20*time.Millisecond); times++ {
			s.look(limit)
		}
		looked <- times
	}()
	s.t.Cleanup(func() {
		close(end)
		if n := <-looked; n < 100 {
			s.t.Errorf("the table was read %d times", n)
		}
	})
}

func (s *scene) look(limit time.Duration) {
	for _, service := range s.read() {
		for _, d := range service.Dests {
			addr := d.Addr.String()
			named, ever := s.named.Load(addr)
			left, _ := named.(time.Time)
			late := !left.IsZero() && time.Since(left)-s.idle.since(left) > limit
			if d.Weight > 0 && (!ever || late) {
				s.t.Errorf("%s has weight %d; named until %v", addr, d.Weight, left)
				s.named.Store(addr, time.Time{}) // told once
			}
		}
	}
}

// nameserver answers the director what the file of a name has, in the words of nameserver.Serve.
func (s *scene) nameserver() {
	s.in("dir", func() {
		packets, err := net.ListenPacket("udp", "127.0.0.1:53")
		streams, fault := net.Listen("tcp", "127.0.0.1:53")
		testkit.OK(s.t, errors.Join(err, fault))
		nameserver.Serve(s.t, packets, streams, func(name string) string {
			if text, err := os.ReadFile(s.dir + "/" + name); err == nil {
				return string(text)
			}
			return "none"
		})
	})
}
