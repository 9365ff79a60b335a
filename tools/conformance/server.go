package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A server is a test server of a scenario. It reads its settings again for each client, and writes a line for each
// request to $W/NAME.log.
type server struct {
	name, kind, address string
	base                map[string]string

	mu   sync.Mutex
	live map[string]string // by the step set; over base
	stop func()
}

// kind speaks a protocol over TCP, over UDP, or over both.
type kind struct {
	stream func(net.Conn, *server) error
	packet func(request []byte, s *server) []byte // nil: no answer
}

var kinds = map[string]kind{
	"dns":    {stream: dnsStream, packet: dnsAnswer},
	"ftp":    {stream: dialogue(ftpSession)},
	"http":   {stream: serveHTTP},
	"imap":   {stream: dialogue(imapSession)},
	"ldap":   {stream: serveLDAP},
	"mysql":  {stream: serveMySQL},
	"nntp":   {stream: dialogue(nntpSession)},
	"pgsql":  {stream: servePgSQL},
	"pop":    {stream: dialogue(popSession)},
	"radius": {packet: radiusAnswer},
	"sip":    {stream: sipStream, packet: sipAnswer},
	"smtp":   {stream: dialogue(smtpSession)},
	"syslog": {packet: syslogAnswer},
	"tcp":    {stream: serveTCP},
}

// serve starts: serve NAME KIND ADDRESS:PORT [SETTING=VALUE]...
func (p *play) serve(s step) error {
	args, err := words(s.rest)
	if err != nil {
		return err
	}
	if len(args) < 3 {
		return fmt.Errorf("needs a name, a kind and an address")
	}
	srv := &server{name: args[0], kind: args[1], address: args[2], base: settings(args[3:])}
	p.servers[srv.name] = srv
	return srv.start()
}

func settings(args []string) map[string]string {
	m := map[string]string{}
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		m[name] = value
	}
	return m
}

func (p *play) stop(s step) error {
	return p.each(s.rest, func(srv *server) error { srv.stop(); return nil })
}

func (p *play) again(s step) error {
	return p.each(s.rest, (*server).start)
}

// set replaces the settings of the previous set. They override those that the server was started with: set NAME
// [SETTING=VALUE]...
func (p *play) set(s step) error {
	args, err := words(s.rest)
	if err != nil {
		return err
	}
	return p.each(args[0], func(srv *server) error {
		srv.mu.Lock()
		defer srv.mu.Unlock()
		srv.live = settings(args[1:])
		return nil
	})
}

func (p *play) each(names string, do func(*server) error) error {
	for _, name := range strings.Fields(names) {
		srv := p.servers[name]
		if srv == nil {
			return fmt.Errorf("no server is called %s", name)
		}
		if err := do(srv); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) get(name, otherwise string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range []map[string]string{s.live, s.base} {
		if value, ok := m[name]; ok {
			return value
		}
	}
	return otherwise
}

// is reports whether a setting has this value, or is not set.
func (s *server) is(name, value string) bool { return s.get(name, value) == value }

// pauses waits as long as the setting says. The client then gets its answer late.
func (s *server) pauses(name string) {
	if d, err := time.ParseDuration(s.get(name, "0s")); err == nil {
		time.Sleep(d)
	}
}

func (s *server) log(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.OpenFile(filepath.Join(scratch, s.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return // the scenario misses the line
	}
	defer f.Close()
	fmt.Fprintf(f, format+"\n", args...)
}

func (s *server) start() error {
	k, known := kinds[s.kind]
	switch {
	case !known:
		return fmt.Errorf("no server speaks %s", s.kind)
	case s.kind == "syslog":
		return s.startPackets("unixgram", k.packet)
	case k.packet != nil && (k.stream == nil || s.get("tcp", "") == ""):
		return s.startPackets("udp", k.packet)
	}
	return s.startStream(k.stream)
}

func (s *server) startStream(handle func(net.Conn, *server) error) error {
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return err
	}
	if pair := s.get("tls", ""); pair != "" {
		certificate, err := tls.LoadX509KeyPair(pair, pair)
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}
	ctx, end := context.WithCancel(context.Background())
	s.stop = func() { listener.Close(); end() }
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				conn.SetDeadline(time.Now().Add(clientTime))
				handle(conn, s) // a client that goes away is not an error
			}()
		}
	}()
	return nil
}

func (s *server) startPackets(network string, answer func([]byte, *server) []byte) error {
	conn, err := net.ListenPacket(network, s.address)
	if err != nil {
		return err
	}
	s.stop = func() { conn.Close() }
	go func() {
		request := make([]byte, 1<<16)
		for {
			n, peer, err := conn.ReadFrom(request)
			if err != nil {
				return
			}
			if out := answer(request[:n], s); out != nil {
				conn.WriteTo(out, peer) // a client that goes away is not an error
			}
		}
	}()
	return nil
}
