package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
)

const target = "http://me:s3cret-1@hooks.example/s3cret-2?token=s3cret-3"

// receiver is a server on connections in memory. The test sets its answers.
type receiver struct {
	t       *testing.T
	mu      sync.Mutex
	answer  func(text string) (status int) // 0: the connection is closed
	got     []string                       // the texts that were answered with 200
	tries   int
	reports []string
}

// newPoster is a Poster whose connections lead to the receiver.
func (r *receiver) newPoster() *Poster {
	p := New(func(e notify.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if strings.Contains(e.Text+e.Reason, "s3cret") {
			r.t.Errorf("a secret is shown: %+v", e)
		}
		r.reports = append(r.reports, fmt.Sprintf("%s: %s", e.Kind, e.Text))
	})
	p.client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		ours, its := net.Pipe()
		go func() { _ = (&http.Server{Handler: r, ErrorLog: nil}).Serve(&one{conn: its}) }()
		return ours, nil
	}
	p.Set(target)
	return p
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	text, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	r.tries++
	r.mu.Unlock()
	status := r.answer(string(text))
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if status == 200 {
		r.got = append(r.got, string(text))
	}
	w.WriteHeader(status)
}

func (r *receiver) output() (got, reports []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	got, reports = r.got, r.reports
	r.got, r.reports = nil, nil
	return got, reports
}

// one is a listener that accepts one connection.
type one struct{ conn net.Conn }

func (l *one) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	return nil, io.EOF
}
func (l *one) Close() error   { return nil }
func (l *one) Addr() net.Addr { return &net.UnixAddr{} }

// expect compares what was posted and reported since the last call.
func (r *receiver) expect(got []string, reports ...string) {
	r.t.Helper()
	have, output := r.output()
	if !slices.Equal(have, got) || !slices.Equal(output, reports) {
		r.t.Errorf("posted %q, want %q; reported %q, want %q", have, got, output, reports)
	}
}

func TestWhatFailsIsTriedAgainAndTheLatestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status atomic.Int32
		status.Store(503)
		r := &receiver{t: t, answer: func(string) int { return int(status.Load()) }}
		p := r.newPoster()
		var tried atomic.Int32
		p.Post("a", []byte("a1"), func() { tried.Add(1) })
		synctest.Wait()
		r.expect(nil, "webhook-failed: webhook http://hooks.example fails; trying again: status 503 Service "+
			"Unavailable")
		p.Post("b", []byte("b1"), func() { tried.Add(1) })
		p.Post("a", []byte("a2"), nil)
		p.Post("a", []byte("a3"), func() { tried.Add(1) })
		testkit.Equal(t, tried.Load(), 3, "a wait for a failing receiver has not ended", "of 3")
		time.Sleep(10 * time.Minute)
		r.mu.Lock()
		if r.tries < 15 || r.tries > 27 { // with pauses of 1 s, 2 s, … 1 min, or half of them
			t.Errorf("%d tries in ten minutes", r.tries)
		}
		r.mu.Unlock()
		status.Store(200)
		time.Sleep(2 * time.Minute)
		got, reports := r.output()
		slices.Sort(got)
		if !slices.Equal(got, []string{"a3", "b1"}) ||
			!slices.Equal(reports,
				[]string{"webhook-recovered: webhook http://hooks.example answers again"}) {
			t.Errorf("posted %q, reported %q", got, reports)
		}
		p.Post("a", []byte("a4"), nil)
		synctest.Wait()
		r.expect([]string{"a4"})
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		p.Post("a", []byte("a5"), func() { tried.Add(1) })
		if tried.Load() != 4 {
			t.Error("a wait for a state that is posted after the end does not end")
		}
	})
}

// Close waits for the first try of each state, but not of a state that a newer one replaced.
func TestAReplacedStateIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, tried := make(chan struct{}), make(chan string, 3)
		r := &receiver{t: t, answer: func(string) int { <-release; return 200 }}
		p := r.newPoster()
		for _, text := range []string{"a1", "a2", "a3"} { // a1 is being sent
			p.Post("a", []byte(text), func() { tried <- text })
			synctest.Wait()
		}
		if len(tried) != 1 || <-tried != "a2" {
			t.Errorf("%d were tried", len(tried))
		}
		close(release)
		synctest.Wait()
		r.expect([]string{"a1", "a3"})
		if err := p.Close(t.Context()); err != nil || len(tried) != 2 {
			t.Errorf("%d were tried: %v", len(tried), err)
		}
	})
}

// A state that fails is not tried again while a newer one of its service waits.
func TestAnOlderStateNeverComesAfterANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := &receiver{t: t, answer: func(text string) int {
			<-release
			return map[bool]int{true: 500,
				false: 200}[text == "a1"]
		}}
		p := r.newPoster()
		p.Post("a", []byte("a1"), nil)
		synctest.Wait()
		p.Post("a", []byte("a2"), nil)
		close(release)
		time.Sleep(time.Minute)
		r.mu.Lock()
		testkit.Equal(t, r.tries, 2, "tries")
		r.mu.Unlock()
		if got, _ := r.output(); !slices.Equal(got, []string{"a2"}) {
			t.Errorf("posted %q", got)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAStateThatIsRefusedDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{t: t, answer: func(text string) int {
			return map[bool]int{true: 400,
				false: 200}[text == "bad"]
		}}
		p := r.newPoster()
		p.Post("a", []byte("bad"), nil)
		p.Post("b", []byte("b1"), nil)
		p.Post("c", []byte("c1"), nil)
		time.Sleep(2 * time.Second)
		if got, _ := r.output(); !slices.Equal(got, []string{"b1", "c1"}) {
			t.Errorf("posted %q", got)
		}
		testkit.Fails(t, p.Close(t.Context()), "webhook http://hooks.example: 1 states were not posted",
			"at the end")
	})
}

func TestAnEndWaitsForOneTryAndNoLongerThanAllowed(t *testing.T) {
	for name, c := range map[string]struct {
		status []int // of the tries; the last one is repeated; -1: no answer
		posted []string
		takes  time.Duration
		err    bool
	}{
		"it works":        {[]int{503, 200}, []string{"a1", "b1"}, 0, false},
		"it fails":        {[]int{503}, nil, 0, true},
		"it hangs":        {[]int{503, -1}, nil, 3 * time.Second, true},
		"then it hangs":   {[]int{503, 200, -1}, []string{"a1"}, 3 * time.Second, true},
		"it is not there": {[]int{0}, nil, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tries atomic.Int32
				release := make(chan struct{})
				r := &receiver{t: t, answer: func(string) int {
					status := c.status[min(int(tries.Add(1)), len(c.status))-1]
					if status < 0 {
						<-release
					}
					return max(status, 0)
				}}
				p := r.newPoster()
				p.Post("a", []byte("a1"), nil)
				synctest.Wait()
				p.Post("b", []byte("b1"), nil)
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				err := p.Close(ctx)
				if took := time.Since(began); took != c.takes || (err != nil) != c.err {
					t.Errorf("after %v: %v", took, err)
				}
				close(release)
				got, _ := r.output()
				slices.Sort(got)
				testkit.Same(t, got, c.posted, "posted")
			})
		})
	}
}

func TestAReceiverThatHangsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := &receiver{t: t, answer: func(string) int { <-release; return 0 }}
		p := r.newPoster()
		began, tried := time.Now(), make(chan time.Duration, 1)
		p.Post("a", []byte("a1"), func() { tried <- time.Since(began) })
		testkit.Equal(t, <-tried, tryTime, "the first try took")
		synctest.Wait()
		r.expect(nil, "webhook-failed: webhook http://hooks.example fails; trying again: no answer in 10s")
		close(release)
		if err := p.Close(t.Context()); err == nil {
			t.Error("it was posted")
		}
	})
}

// A state that fails at the end is not tried again, and the failure is not reported.
func TestAFailureAtTheEndIsTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := &receiver{t: t, answer: func(string) int { <-release; return 503 }}
		p := r.newPoster()
		p.Post("a", []byte("a1"), nil)
		synctest.Wait()
		ended := make(chan error)
		go func() { ended <- p.Close(t.Context()) }()
		synctest.Wait()
		close(release)
		if err := <-ended; err == nil {
			t.Error("it was posted")
		}
		r.expect(nil, "webhook-failed: webhook http://hooks.example fails: status 503 Service Unavailable")
	})
}

func TestWithoutAURLNobodyIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{t: t, answer: func(string) int { return 500 }}
		p := r.newPoster()
		p.Post("a", []byte("a1"), nil)
		synctest.Wait()
		p.Set("")
		tried := false
		p.Post("b", []byte("b1"), func() { tried = true })
		if !tried {
			t.Error("a wait without a receiver does not end")
		}
		time.Sleep(time.Minute)
		if err := p.Close(t.Context()); err != nil || r.tries != 1 {
			t.Errorf("%d tries: %v", r.tries, err)
		}
	})
}

func TestReasonsAreOneLineWithoutTheURL(t *testing.T) {
	of := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("\x1b[2J\n")}
	err := &url.Error{Op: "Post", URL: target, Err: of}
	testkit.Equal(t, reason(t.Context(), err).Error(), "dial tcp:  [2J ")
	testkit.Equal(t, name("http://a:b@c:1/d?e"), "http://c:1", "name")
}

// A receiver may repeat what it was sent in places where HTTP has no such text. None of it is shown.
func TestWhatAReceiverSaysIsNotShown(t *testing.T) {
	for _, answer := range []string{
		"%s\r\n\r\n", "HTTP/1.1 %s\r\n\r\n", "HTTP/%s 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"HTTP/1.1 200 OK\r\n%s: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://[%s\r\n\r\n",
		"HTTP/1.1 500 %s\r\n\r\n", "HTTP/1.1 101 %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer l.Close()
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			output := make([]byte, 4096)
			n, _ := c.Read(output)
			line, _, _ := strings.Cut(string(output[:n]), "\r\n")
			fmt.Fprintf(c, answer, strings.ReplaceAll(line, " ", "_")+"_bWU6czNjcmV0LTE=")
		}()
		to := strings.Replace(target, "hooks.example", l.Addr().String(), 1)
		err = post(t.Context(), newClient(), to, []byte("{}"))
		if err == nil && !strings.Contains(answer, "chunked") && !strings.Contains(answer, "%s: x") {
			t.Errorf("%q is taken", answer)
		}
		for _, secret := range []string{"s3cret", "token", "bWU6"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %v", answer, err)
			}
		}
	}
}
