package daemon

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whoever connects and says nothing keeps nobody from an answer: 200 at once, who come again when they are sent
// away, are more than twice what the server keeps.
func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /hello", limited(newSlots(1), func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello")) }))
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := newServer(t.Context(), routes)
	go server.Serve(listener{l})
	t.Cleanup(func() { server.Close() })
	flood(t, l.Addr().String(), 200)
	for range 5 {
		if code, text := fetch(t, "http://"+l.Addr().String()+"/hello"); code != http.StatusOK || text != "hello" {
			t.Errorf("%d %q", code, text)
		}
	}
}

// flood keeps n connections open that never send a whole head.
func flood(t *testing.T, addr string, n int) {
	t.Helper()
	first := make(chan struct{}, n)
	for range n {
		go func() {
			told := false
			for t.Context().Err() == nil {
				c, err := net.Dial("tcp4", addr)
				if !told {
					told = true
					first <- struct{}{}
				}
				if err != nil {
					return // the server is gone
				}
				c.Write([]byte("GET /hello HTTP/1.1\r\nX: "))
				c.SetDeadline(time.Now().Add(awaitLimit))
				io.Copy(io.Discard, c)
				c.Close()
				select {
				case <-t.Context().Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		}()
	}
	for range n {
		<-first
	}
}

// strangers are both ends of connections of a user who is not the owner.
func strangers(n int) (mine []*client, theirs []net.Conn) {
	for range n {
		a, b := net.Pipe()
		mine, theirs = append(mine, &client{Conn: a, uid: -1}), append(theirs, b)
	}
	return mine, theirs
}

func isOpen(c net.Conn) bool {
	c.SetReadDeadline(time.Now())
	_, err := c.Read(make([]byte, 1))
	return err != nil && strings.Contains(err.Error(), "timeout")
}

// The one that was silent for longest goes, then the newest; the owner's never.
func TestWhoGoesFromTheCrowd(t *testing.T) {
	all := &clients{}
	mine, theirs := strangers(maxClients + 3)
	for _, c := range mine[:maxClients] {
		all.follow(c, http.StateNew)
	}
	all.follow(mine[0], http.StateActive)
	all.follow(mine[maxClients], http.StateNew)
	if !isOpen(theirs[0]) || isOpen(theirs[1]) || !isOpen(theirs[maxClients]) {
		t.Error("with a silent one: the oldest that is silent goes")
	}
	all.follow(mine[1], http.StateClosed)
	for _, c := range mine {
		all.follow(c, http.StateActive)
	}
	all.follow(mine[maxClients+1], http.StateNew)
	if isOpen(theirs[maxClients+1]) || !isOpen(theirs[2]) {
		t.Error("with none silent: the newest goes")
	}
	mine[maxClients+2].uid = 0
	all.follow(mine[maxClients+2], http.StateNew)
	if !isOpen(theirs[maxClients+2]) {
		t.Error("the owner was sent away")
	}
	for _, c := range mine {
		all.follow(c, http.StateClosed)
	}
	if len(all.all) != 0 {
		t.Errorf("%d are left", len(all.all))
	}
}

// One answer at a time is the owner's own, whoever has the others.
func TestASlotIsReservedForTheOwner(t *testing.T) {
	s := newSlots(1)
	stranger, root := &client{uid: -1}, &client{uid: 0}
	if _, err := s.take(t.Context(), stranger); err != nil {
		t.Fatal(err)
	}
	release, err := s.take(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.take(ctx, stranger); err == nil {
		t.Error("a stranger got the owner's slot")
	}
}
