package lab

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// A server has an upper limit of four. The kernel applies the limit, the daemon only computes it. The test compares
// both.
func (m *matrix) limits(t *testing.T) {
	m.row(t, "a server at its upper limit gets no new client, and is full in status", dr4, "address",
		func(t *testing.T) {
			l := m.lab.with(t)
			for _, ns := range []string{"rs1", "rs2"} {
				l.web(ns)
			}
			l.start(`virtual = 192.0.2.10:80
        real = 192.0.2.21:80 gate u:4
        real = 192.0.2.22:80 gate
        service = http
        receive = "OK"
        scheduler = rr
`)
			l.untilServers(2, "-w 0")
			client := m.clients(1)[0]
			held := map[string][]net.Conn{}
			for range 10 {
				server, conn := l.stays(dr4, dr4.client(client))
				held[server] = append(held[server], conn)
			}
			if len(held["rs1"]) != 4 || len(held["rs2"]) != 6 {
				t.Errorf("%d connections to the server with u:4, %d to the other", len(held["rs1"]),
					len(held["rs2"]))
			}
			l.saysWithin(10*time.Second,
				"Full: 192.0.2.21:80 (tcp:192.0.2.10:80): 4 connections, upper limit 4")
			l.says(unfold(l.does("status", "-v")),
				"full: 4 connections, upper limit 4: no new clients until it has fewer than 3")
			l.says(unfold(l.does("why", "192.0.2.21:80")), "full: 4 connections")
			answeredBy(t, l.getEach(dr4, []int{client}, 6, dr4.url("http", "80"))[0], "rs2")

			l.does("drain", "192.0.2.22")
			defer l.does("undrain", "192.0.2.22") // otherwise the next daemon finds the order
			l.saysWithin(10*time.Second,
				"All servers in service are full: tcp:192.0.2.10:80: new clients are refused")
			for range 2 {
				testkit.Contains(t, l.get(dr4.client(client), dr4.url("http", "80")),
					"connection refused",
					"while every server is full a client gets")
			}
			l.says(l.does("status", "-v"), "all servers in service are full: new clients are refused")

			leave(held["rs1"][0]) // the limit is over with fewer than three
			l.untilConnections("192.0.2.21:80", 3)
			testkit.Contains(t, l.get(dr4.client(client), dr4.url("http", "80")), "connection refused",
				"with three of four connections a client gets")
			l.says(l.does("status", "-v"), "all servers in service are full")
			leave(held["rs1"][1])
			l.saysWithin(10*time.Second, "No longer full: 192.0.2.21:80")
			answeredBy(t, l.getEach(dr4, []int{client}, 1, dr4.url("http", "80"))[0], "rs1")
		})
}

// leave closes a connection in the normal way. After a reset the kernel would count it for 10 s more.
func leave(conn net.Conn) {
	conn.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, conn)
	conn.Close()
}

// untilConnections waits until the kernel counts n connections of a server, including those that have ended.
func (l *lab) untilConnections(server string, n uint32) {
	l.t.Helper()
	testkit.Until(l.t, 10*time.Second, func() bool { return l.carried()[server].Total() == n },
		server, "does not have", n, "connections", func() string { return fmt.Sprint(l.carried()) })
}

// carried are the kernel's counters of all servers.
func (l *lab) carried() map[string]lvs.Counters {
	l.t.Helper()
	all := map[string]lvs.Counters{}
	for _, service := range l.read() {
		for addr, c := range service.Counters {
			all[addr.String()] = c
		}
	}
	return all
}

// unfold is a text with its line breaks replaced by spaces.
func unfold(text string) string { return strings.Join(strings.Fields(text), " ") }

// stays opens a connection that its server keeps open. It returns the server, too.
func (l *lab) stays(w lane, client netip.Addr) (server string, conn net.Conn) {
	l.t.Helper()
	conn = l.dial(client, "tcp", net.JoinHostPort(w.vip, "80"))
	conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprint(conn, "GET /drip HTTP/1.0\r\n\r\n")
	answer := testkit.Must(http.ReadResponse(bufio.NewReader(conn), nil))(l.t)
	return answer.Header.Get("Server"), conn
}
