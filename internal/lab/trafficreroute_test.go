package lab

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// All servers change from ipip to gate while clients have open connections. These continue. Each server changes when
// its own connections have ended, and new clients always get answers. If a server changed at once, the kernel would
// send ARP requests for the virtual address, and new clients would get no answer.
func (m *matrix) reroute(t *testing.T) {
	for _, w := range []lane{tun4, tun6} {
		by := dr4
		by.family = w.family
		m.row(t, "servers change from ipip to gate under open connections, and no new client fails", by,
			"address", func(t *testing.T) {
				l, webs := m.lab.with(t), map[string]*web{}
				for _, ns := range three {
					webs[ns] = l.web(ns)
				}
				config := sections(
					"VIRTUAL = ADDRESS:80\n        REALS:80\n        service = http\n"+
						"        receive = \"OK\"\n        scheduler = rr\n", w)
				l.start(config)
				l.untilServers(3, "-w 0")
				old := l.oldConnections(w, w.client(m.clients(1)[0]))
				l.config(quick + strings.ReplaceAll(config, " ipip", " gate"))
				l.does("reload")
				for n := 1; n <= 3; n++ {
					var serving []string // two servers serve while one waits for its connections
					for k, ns := range three {
						state := map[bool]string{true: "-g -w 1", false: "-i -w 1"}[k+1 < n]
						if k+1 == n {
							state = "-i -w 0"
						} else {
							serving = append(serving, ns)
						}
						l.until(10*time.Second,
							fmt.Sprintf("-r %s %s", net.JoinHostPort(w.real(k+1), "80"),
								state))
					}
					for _, answers := range l.getEach(w, m.clients(2), 10, w.url("http", "80")) {
						answeredBy(t, answers, serving...)
					}
					ns := fmt.Sprintf("rs%d", n)
					close(webs[ns].finish)
					io.Copy(io.Discard, old[ns])
					old[ns].Close()
				}
				l.untilServers(3, "-w 0", "-i")
				for _, answers := range l.getEach(w, m.clients(2), 9, w.url("http", "80")) {
					answeredBy(t, answers, "rs1", "rs2", "rs3")
				}
			})
	}
}

// oldConnections opens a connection to each server, with an answer that never ends.
func (l *lab) oldConnections(w lane, client netip.Addr) map[string]net.Conn {
	l.t.Helper()
	conns := map[string]net.Conn{}
	for range 30 {
		server, conn := l.stays(w, client)
		if conns[server] != nil {
			conn.Close()
			continue
		}
		if conns[server] = conn; len(conns) == 3 {
			return conns
		}
	}
	l.t.Fatalf("connections came to %d servers only", len(conns))
	return nil
}
