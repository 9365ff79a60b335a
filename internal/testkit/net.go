package testkit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds waits for what happens at once unless the machine is busy.
const patience = 10 * time.Second

// Listen listens on a free port of loopback until the test ends.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	l := Must(net.Listen("tcp4", "127.0.0.1:0"))(t)
	t.Cleanup(func() { l.Close() })
	return l
}

// AddrOf is the address of a listener.
func AddrOf(l net.Listener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }

// Serve serves each client in a goroutine of its own. Listener and connections end with the test at the latest.
func Serve(t testing.TB, l net.Listener, serve func(net.Conn)) {
	var mu sync.Mutex // guards open and over
	open, over := map[net.Conn]bool{}, false
	var all sync.WaitGroup
	end := func(c net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		c.Close()
		delete(open, c)
	}
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			if over { // the test ended while it was accepted
				c.Close()
			}
			mu.Unlock()
			all.Go(func() {
				defer end(c)
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		over = true
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
}

// OwnLoopback is an address that tests in other processes don't use.
func OwnLoopback() string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 64+pid>>16, pid>>8&255, pid&255)
}

// FreeAddr is an address of loopback that refuses connections.
func FreeAddr(t testing.TB) netip.AddrPort {
	t.Helper()
	l := Must(net.Listen("tcp4", OwnLoopback()+":0"))(t)
	defer l.Close()
	return AddrOf(l)
}

// DeafAddr is an address whose queue of connections is full: the kernel drops new ones.
func DeafAddr(t testing.TB) netip.AddrPort {
	t.Helper()
	fd := Must(syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0))(t)
	t.Cleanup(func() { syscall.Close(fd) })
	local := &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	OK(t, errors.Join(syscall.Bind(fd, local), syscall.Listen(fd, 0)))
	name := Must(syscall.Getsockname(fd))(t)
	addr := netip.AddrPortFrom(netip.AddrFrom4(local.Addr), uint16(name.(*syscall.SockaddrInet4).Port))
	first := Must(net.Dial("tcp", addr.String()))(t) // fills it on most kernels, however busy the machine is
	t.Cleanup(func() { first.Close() })
	for range 10 {
		c, err := net.DialTimeout("tcp", addr.String(), 50*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("the kernel takes connections beyond the queue")
	return addr
}

// Fetch returns the status and the body of a page. It waits until something listens.
func Fetch(t testing.TB, url string) (status int, body string) {
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		answer, err := client.Get(url)
		if err != nil && time.Now().Before(end) {
			continue
		}
		OK(t, err)
		defer answer.Body.Close()
		return answer.StatusCode, string(Must(io.ReadAll(answer.Body))(t))
	}
}

// SelfSigned is a certificate without names, valid for an hour.
func SelfSigned(t testing.TB) tls.Certificate {
	t.Helper()
	key := Must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der := Must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))(t)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
