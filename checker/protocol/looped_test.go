package protocol

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/icmp"
	"ldirectord/checker/settings"
	"ldirectord/checker/wire"
	"ldirectord/internal/testkit"
)

// The result of a check does not depend on whether a loop or a goroutine makes it.
func TestTheLoopFindsWhatAGoroutineFinds(t *testing.T) {
	byLoop.Store(true)
	t.Cleanup(func() { byLoop.Store(false) })
	for name, test := range map[string]func(*testing.T){
		"answers":                TestHTTPAnswers,
		"bad servers":            func(t *testing.T) { checkDialogues(t, dialogueFolder+"http.txt") },
		"no server":              TestHTTPChecksThatReachNoServer,
		"requests":               TestHTTPRequests,
		"IPv6":                   TestHTTPOverIPv6,
		"redirects":              TestRedirects,
		"HTTPS":                  TestHTTPS,
		"cancelled":              TestCancelledCheckEndsAtOnceAndBlamesNobody,
		"connect":                TestConnect,
		"connect, no answer":     TestConnectToServerThatDoesNotAnswer,
		"secrets":                TestSecretsOfHTTPAreHidden,
		"a page with secrets":    TestAPageThatRepeatsSecretsIsNotRepeated,
		"a redirect and secrets": TestARedirectLeadsNoSecretAway,
	} {
		t.Run(name, test)
	}
}

// An answer in pieces is compared when it is complete, in the loop or by a goroutine.
func TestTheLoopTakesAnswersInPieces(t *testing.T) {
	testkit.Leaks(t)
	whole := okHead + "Content-Length: 11\r\n\r\nOK-perf now"
	large := okHead + "Content-Length: 40000\r\n\r\n" + strings.Repeat("x", 39993) + "OK-perf"
	for name, pieces := range map[string][]string{
		"two":                  {whole[:20], whole[20:]},
		"more than four looks": {whole[:5], whole[5:9], whole[9:20], whole[20:50], whole[50:]},
		"a large one":          {large[:30], large[30:]},
		"ended by a close":     {okHead + "\r\nOK", "-perf"},
		"in chunks": {okHead + "Transfer-Encoding: chunked\r\n\r\n3\r\nOK-\r\n",
			"4\r\nperf\r\n0\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(s *testServer, c net.Conn) {
				s.request(c)
				for _, piece := range pieces {
					io.WriteString(c, piece)
					time.Sleep(8 * time.Millisecond) // the loop looks four times, each millisecond
				}
			})
			if r := (looped{build(t, httpSpec(s.addr, "OK-perf"), nil)}).Check(t.Context()); !r.OK {
				t.Errorf("%+v", r)
			}
			testkit.Equal(t, len(s.asked()), 1, "times the server was asked")
		})
	}
}

// A request that does not fit into the socket is sent by a goroutine.
func TestTheLoopSendsLongRequests(t *testing.T) {
	testkit.Leaks(t)
	s := serve(t, func(_ *testServer, c net.Conn) {
		time.Sleep(20 * time.Millisecond)
		if n, _ := io.Copy(io.Discard, io.LimitReader(c, 8<<20)); n == 8<<20 {
			io.WriteString(c, benchAnswer)
		}
		io.Copy(io.Discard, c)
	})
	spec := httpSpec(s.addr, "OK-perf")
	spec.URL += strings.Repeat("x", 8<<20)
	if r := (looped{build(t, spec, nil)}).Check(t.Context()); !r.OK {
		t.Errorf("%+v", r)
	}
}

// A goroutine searches a header that takes a slot. The loop does not wait for one, so other checks are made.
func TestTheLoopSearchesNoHeaderThatTakesLong(t *testing.T) {
	limits := NewMatching()
	for range cap(limits.quick.slots) {
		limits.quick.slots <- struct{}{}
	}
	addr := serve(t, saying(okHead+"X-Version: 7\r\nContent-Length: 0\r\n\r\n")).addr
	slow, quick := httpSpec(addr, ""), httpSpec(addr, "")
	slow.ReceiveHeader = "X-Version: ^(?=7)"
	ctx, stop := context.WithTimeout(t.Context(), inTime)
	defer stop()
	passed := 0
	RunPool(ctx, []Timed{{time.Minute, build(t, slow, &Env{Matching: limits})},
		{20 * time.Millisecond, build(t, quick, nil)}}, func(which int, r Result) {
		if passed += which; passed == 5 {
			stop()
		}
	})
	if passed < 5 {
		t.Errorf("%d checks passed beside the slow one", passed)
	}
}

// echoes is a pinger whose replies come after a time, or never.
type echoes struct {
	answers time.Duration // 0: never
	err     error         // what Rest returns
	sent    atomic.Int32
	onLink  atomic.Bool // of the last echo
	waiting sync.Map
}

func (e *echoes) Ping(context.Context, netip.Addr, settings.Path, time.Duration) (time.Duration, error) {
	return 0, errors.New("a goroutine pings")
}

func (e *echoes) Send(batch []*icmp.Echo) {
	for _, echo := range batch {
		e.sent.Add(1)
		e.onLink.Store(echo.OnLink)
		e.waiting.Store(echo, true)
		if e.answers > 0 {
			time.AfterFunc(e.answers, func() {
				if e.Forget(echo) {
					echo.Done(echo, e.answers, nil)
				}
			})
		}
	}
}

func (e *echoes) Forget(echo *icmp.Echo) bool {
	_, waits := e.waiting.LoadAndDelete(echo)
	return waits
}

func (e *echoes) Rest(*icmp.Echo, time.Duration) (time.Duration, error) { return 0, e.err }

func TestTheLoopPings(t *testing.T) {
	testkit.Leaks(t)
	for name, c := range map[string]*struct {
		pinger echoes
		ok     bool
		sent   int32
		want   string
	}{
		"an answer": {echoes{answers: 20 * time.Millisecond}, true, 1, "echo reply after 20ms"},
		"silence": {echoes{err: os.ErrDeadlineExceeded}, false, 3,
			"ping: no answer to 3 requests, 50ms each"},
		"no room to send": {echoes{err: syscall.ENOBUFS}, false, 1, "ping: no buffer space available"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := anySpec("ping")
			spec.Timeout, spec.Attempts,
				spec.OnLink = map[bool]time.Duration{true: inTime, false: 50 * time.Millisecond}[c.ok],
				3, c.ok
			r := looped{build(t, spec, &Env{Pinger: &c.pinger})}.Check(t.Context())
			if r.OK != c.ok || r.Detail != c.want || c.pinger.sent.Load() != c.sent ||
				(r.Cause == checker.Shortage) != (c.pinger.err == syscall.ENOBUFS) ||
				c.pinger.onLink.Load() != spec.OnLink {
				t.Errorf("%d sent: %+v", c.pinger.sent.Load(), r)
			}
		})
	}
}

// crowded is a pinger whose socket has no room, and which keeps each echo to send it later.
type crowded struct {
	echoes
	kept chan *icmp.Echo
}

func (c *crowded) Send(batch []*icmp.Echo) {
	c.echoes.Send(batch)
	for _, echo := range batch {
		c.kept <- echo
	}
}

// An echo that may still wait for room is not used for another server.
func TestTheLoopReusesNoEchoThatMayWait(t *testing.T) {
	pinger := &crowded{echoes{err: syscall.ENOBUFS}, make(chan *icmp.Echo, 10)}
	spec := anySpec("ping")
	spec.Timeout, spec.Attempts = time.Millisecond, 1
	for range 2 {
		ctx, stop := context.WithTimeout(t.Context(), inTime)
		check := build(t, spec, &Env{Pinger: pinger})
		results := 0
		RunPool(ctx, []Timed{{time.Minute, check}, {10 * time.Millisecond, check}}, func(int, Result) {
			if results++; results == 3 {
				stop()
			}
		})
		stop()
	}
	seen := map[*icmp.Echo]bool{}
	for range len(pinger.kept) {
		echo := <-pinger.kept
		if seen[echo] {
			t.Error("an echo is sent for another check")
		}
		seen[echo] = true
	}
	if len(seen) < 3 {
		t.Errorf("%d echoes", len(seen))
	}
}

// looped makes each check in a pool of its own. So a loop makes it, if it is a light one.
type looped struct{ Checker }

func (l looped) Check(ctx context.Context) Result {
	stopped, stop := context.WithCancel(ctx)
	defer stop()
	r := failed(wire.ErrStopped)
	RunPool(stopped, []Timed{{time.Minute, l.Checker}}, func(_ int, got Result) {
		if stopped.Err() == nil {
			r = got
			stop()
		}
	})
	return r
}

// Timed is a check and how often it is made.
type Timed struct {
	Every time.Duration
	Checker
}

// RunPool makes checks in a pool until ctx is done, and passes each result with the index of its check to take. The
// pool is in package schedule, which imports this package: schedule_test.go sets the variable.
var RunPool func(ctx context.Context, checks []Timed, take func(which int, r Result))

// byLoop has build return looped checkers.
var byLoop atomic.Bool
