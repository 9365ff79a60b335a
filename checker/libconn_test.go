package checker

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// scene is one case of a check: how a server treats its connections, and what comes of it.
type scene struct {
	name   string
	treat  func(*testServer, net.Conn)
	change func(*Spec)
	up     bool
	detail string // all of Result.Detail
}

// soon makes a check end early, for servers that let it wait.
func soon(s *Spec) { s.NegotiateTimeout = 150 * time.Millisecond }

// checkScenes makes the check of each case. Nothing may be left of it, nor last longer than allowed.
func checkScenes(t *testing.T, good Spec, scenes []scene) {
	t.Helper()
	for _, c := range scenes {
		t.Run(c.name, func(t *testing.T) {
			leaks(t)
			s := good
			s.Target = serve(t, c.treat).addr
			if c.change != nil {
				c.change(&s)
			}
			inItsTime(t, s, nil, c.up, c.detail)
		})
	}
}

// inItsTime makes a check and compares its result. A check that is to meet its deadline in some stage may meet it in
// an earlier one, when the machine is busy: then it gets more time.
func inItsTime(t *testing.T, s Spec, e *Env, up bool, detail string) (took time.Duration, of time.Duration) {
	t.Helper()
	first := s.NegotiateTimeout
	moreTime(first, func(limit time.Duration) (Result, bool) {
		s.NegotiateTimeout = limit
		begin := time.Now()
		r := build(t, s, e).Check(t.Context())
		took, of = time.Since(begin), limit
		if took > limit+late {
			t.Errorf("took %v of %v", took, limit)
		}
		return r, r.OK == up && r.Detail == strings.ReplaceAll(detail, first.String(), limit.String()) && r.Cause != Shortage
	}, func(r Result) {
		t.Errorf("up %v (local %v): %s\nwant %v: %s, in %v", r.OK, r.Cause == Shortage, r.Detail, up, detail, first)
	})
	return took, of
}

// moreTime makes a check that is to fit, with a limit, and with more as long as it only lacks time.
func moreTime(limit time.Duration, check func(limit time.Duration) (r Result, fits bool), wrong func(Result)) {
	for ; ; limit *= 5 {
		r, fits := check(limit)
		if !fits && r.Cause == Timeout && limit < inTime {
			continue
		}
		if !fits {
			wrong(r)
		}
		return
	}
}

// heedless sends at once, whatever it is asked, and closes when the client does.
func heedless(says string) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		c.Write([]byte(says))
		silence(s, c)
	}
}

// closing ends each connection in order at once.
func closing(s *testServer, c net.Conn) {
	c.(*net.TCPConn).CloseWrite()
	silence(s, c)
}

// trickle sends a byte at a time.
func trickle(says string) func(*testServer, net.Conn) {
	return func(_ *testServer, c net.Conn) {
		for _, b := range []byte(says) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// chatter sends the same forever.
func chatter(c net.Conn, says []byte) {
	for {
		if _, err := c.Write(says); err != nil {
			return
		}
	}
}

// checkStopped makes a check of a real server whose processes do nothing any more.
func checkStopped(t *testing.T, pid int, s Spec, detail string) {
	t.Helper()
	t.Run("stopped processes", func(t *testing.T) {
		freeze(t, pid)
		soon(&s)
		if r := build(t, s, nil).Check(t.Context()); r.OK || r.Detail != detail {
			t.Errorf("up %v: %s\nwant: %s", r.OK, r.Detail, detail)
		}
	})
}

// libConnOn is a library's connection to a server that may say limit bytes, in packets of two bytes and as many as the
// second of them says.
func libConnOn(c net.Conn, limit int) *libConn {
	d := newDialogue(&conn{Conn: c})
	return newLibConn(&d, limit, 2, func(header []byte) (int, error) {
		if header[0] != 'p' {
			return 0, errors.New("odd")
		}
		return int(header[1] - '0'), nil
	})
}

func TestCarrierKeepsTheDeadlineOfTheCheck(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ours.SetDeadline(longAgo)
	c := libConnOn(ours, 10)
	c.SetDeadline(time.Time{})
	c.SetReadDeadline(time.Time{})
	c.SetWriteDeadline(time.Time{})
	if _, err := c.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("read: %v", err)
	}
	if _, err := c.Write([]byte{1}); !isTimeout(err) {
		t.Errorf("write: %v", err)
	}
}

func TestCarrierBoundsWhatIsRead(t *testing.T) {
	c := libConnOn(conversation{strings.NewReader("p0p1ap1b")}, 5)
	got, err := io.ReadAll(c)
	if string(got) != "p0p1a" || err != errTooMuch {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCarrierBlamesTheNetworkFirst(t *testing.T) {
	c := libConnOn(conversation{strings.NewReader("")}, 5)
	if got := c.fault(loginStep, errors.New("odd")).Error(); got != "login: odd" {
		t.Error(got)
	}
	c.Read(make([]byte, 1))
	if got := c.fault(loginStep, errors.New("odd")).Error(); got != "login: closed by the server" {
		t.Error(got)
	}
}

func TestCarrierPassesPacketsAfterTheirHeaders(t *testing.T) {
	for says, want := range map[string]struct{ read, err string }{
		"p3abcp0p1d": {"p3abcp0p1d", ""},
		"p3ab":       {"p3ab", ""},
		"p3abcp":     {"p3abc", "unexpected EOF"},
		"p1axx":      {"p1a", `odd: got "xx"`},
		"p99":        {"", "the answer is too long"},
	} {
		var got bytes.Buffer
		c := libConnOn(conversation{strings.NewReader(says)}, len(says)+7)
		_, err := io.Copy(&got, c)
		if got.String() != want.read || (err == nil) != (want.err == "") || err != nil && err.Error() != want.err {
			t.Errorf("%q: %q, %v", says, got.String(), err)
		}
	}
}

// conversation is a connection whose other end has said all.
type conversation struct{ said io.Reader }

func (c conversation) Read(b []byte) (int, error)     { return c.said.Read(b) }
func (conversation) Write(b []byte) (int, error)      { return len(b), nil }
func (conversation) Close() error                     { return nil }
func (conversation) LocalAddr() net.Addr              { return nil }
func (conversation) RemoteAddr() net.Addr             { return nil }
func (conversation) SetDeadline(time.Time) error      { return nil }
func (conversation) SetReadDeadline(time.Time) error  { return nil }
func (conversation) SetWriteDeadline(time.Time) error { return nil }
