package socket

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/testkit"
)

// Clients that connect and send nothing, or ask and read nothing, keep no other client from an answer. The test has
// 300 at once, more than the server keeps, and they come again after they were disconnected.
func TestWhoHangsOnKeepsNobodyOut(t *testing.T) {
	for what, request := range map[string]string{
		"silent": "GET /probe HTTP/1.1\r\nX: ",
		"unread": "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			routes, text := http.NewServeMux(), make([]byte, 16<<20)
			say := func(text []byte) http.HandlerFunc {
				return func(w http.ResponseWriter, _ *http.Request) { w.Write(text) }
			}
			routes.HandleFunc("GET /large", Limiter(8)(say(text)))
			routes.HandleFunc("GET /probe", Limiter(1)(say([]byte("ok"))))
			addr := serving(t, routes)
			flood(t, addr, request, 300)
			for range 30 {
				code, text := testkit.Fetch(t, "http://"+addr+"/probe")
				if code != http.StatusOK || text != "ok" {
					t.Fatalf("%d %q", code, text)
				}
			}
		})
	}
}

// shortOnce is a listener on a machine that is short of memory at first.
type shortOnce struct {
	net.Listener
	once sync.Once
}

func (s *shortOnce) Accept() (c net.Conn, err error) {
	if s.once.Do(func() { err = syscall.ENOBUFS }); err != nil {
		return nil, err
	}
	return s.Listener.Accept()
}

// serving is the address of a server with these routes. A shortage at first does not end it.
func serving(t *testing.T, routes http.Handler) string {
	l := testkit.Listen(t)
	server := NewServer(t.Context(), routes)
	go Serve(server, &shortOnce{Listener: l})
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

// flood keeps n connections open that send this request and read nothing.
func flood(t *testing.T, addr, request string, n int) {
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
					return // the server has ended
				}
				c.(*net.TCPConn).SetReadBuffer(2048)
				c.Write([]byte(request))
				for err = nil; err == nil && t.Context().Err() == nil; _, err = c.Write([]byte("x")) {
					select { // until the server closes it
					case <-t.Context().Done():
					case <-time.After(20 * time.Millisecond):
					}
				}
				c.Close()
			}
		}()
	}
	for range n {
		<-first
	}
}

// An answer may take until its deadline while the client reads it, and 2 s while the client does not.
func TestAnAnswerThatIsNotReadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine, taken := strangers(1)
		c, text := mine[0], make([]byte, 10*maxPart)
		c.SetWriteDeadline(time.Now().Add(time.Minute))
		go func() {
			for range 5 {
				time.Sleep(stallTimeout - time.Second)
				io.ReadFull(taken[0], make([]byte, maxPart))
			}
		}()
		began := time.Now()
		n, err := c.Write(text)
		want := 5*(stallTimeout-time.Second) + stallTimeout
		if took := time.Since(began); n != 5*maxPart || err == nil || took != want {
			t.Errorf("%d bytes in %v: %v", n, took, err)
		}
		c.SetWriteDeadline(time.Now().Add(time.Second))
		began = time.Now()
		if _, err := c.Write(text); err == nil || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// strangers are both ends of connections of a user other than the owner.
func strangers(n int) (mine []*client, taken []net.Conn) {
	for range n {
		a, b := net.Pipe()
		mine, taken = append(mine, &client{Conn: a, uid: -1}), append(taken, b)
	}
	return mine, taken
}

func isOpen(c net.Conn) bool {
	c.SetReadDeadline(time.Now())
	_, err := c.Read(make([]byte, 1))
	return err != nil && strings.Contains(err.Error(), "timeout")
}

// Of too many clients the oldest that is silent or waits for its turn is disconnected. If there is none, the newest
// is. The owner's connections are never closed.
func TestWhoGoesFromTheCrowd(t *testing.T) {
	all := &clients{}
	mine, taken := strangers(MaxClients + 4)
	for _, c := range mine[:MaxClients] {
		all.follow(c, http.StateNew)
	}
	all.follow(mine[0], http.StateActive)
	all.follow(mine[MaxClients], http.StateNew)
	if !isOpen(taken[0]) || isOpen(taken[1]) || !isOpen(taken[MaxClients]) {
		t.Error("the oldest silent client is not the one that was disconnected")
	}
	all.follow(mine[1], http.StateClosed)
	all.follow(mine[3], http.StateActive)
	all.follow(mine[2], http.StateActive)
	mine[2].waits.Store(true)
	all.follow(mine[MaxClients+3], http.StateNew)
	if isOpen(taken[2]) || !isOpen(taken[3]) {
		t.Error("one that waits for its turn stays")
	}
	all.follow(mine[2], http.StateClosed)
	for _, c := range mine {
		all.follow(c, http.StateActive)
	}
	all.follow(mine[MaxClients+1], http.StateNew)
	if isOpen(taken[MaxClients+1]) || !isOpen(taken[3]) {
		t.Error("no client is silent, and the newest is not the one that was disconnected")
	}
	mine[MaxClients+2].uid = 0
	all.follow(mine[MaxClients+2], http.StateNew)
	if !isOpen(taken[MaxClients+2]) {
		t.Error("the owner was sent away")
	}
	for _, c := range mine {
		all.follow(c, http.StateClosed)
	}
	testkit.Equal(t, len(all.all), 0, "are left")
}

// One answer at a time is reserved for the owner, even when other clients use all others.
func TestASlotIsReservedForTheOwner(t *testing.T) {
	common, reserved := make(chan struct{}, 1), make(chan struct{}, 1)
	stranger, root := &client{uid: -1}, &client{uid: 0}
	testkit.Equal(t, stranger.waitFor(t.Context(), common, reserved), common, "a stranger's slot")
	testkit.Equal(t, root.waitFor(t.Context(), common, reserved), reserved, "the owner's")
	<-reserved
	ctx := testkit.Ended(t)
	testkit.Equal(t, stranger.waitFor(ctx, common, reserved), nil, "another stranger's")
}
