package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// libConnOn is a library's connection to a server that may send limit bytes. A packet has a header of two bytes, and
// the second of them is the length of the rest.
func libConnOn(c net.Conn, limit int) *LibConn {
	d := NewDialogue(&Conn{Conn: c})
	return NewLibConn(&d, limit, 2, func(header []byte) (int, error) {
		if header[0] != 'p' {
			return 0, errors.New("odd")
		}
		return int(header[1] - '0'), nil
	})
}

func TestCarrierKeepsTheDeadlineOfTheCheck(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ours.SetDeadline(LongAgo)
	c := libConnOn(ours, 10)
	c.SetDeadline(time.Time{})
	c.SetReadDeadline(time.Time{})
	c.SetWriteDeadline(time.Time{})
	if _, err := c.Read(make([]byte, 1)); !IsTimeout(err) {
		t.Errorf("read: %v", err)
	}
	if _, err := c.Write([]byte{1}); !IsTimeout(err) {
		t.Errorf("write: %v", err)
	}
}

func TestCarrierBoundsWhatIsRead(t *testing.T) {
	c := libConnOn(conversation{strings.NewReader("p0p1ap1b")}, 5)
	got, err := io.ReadAll(c)
	if string(got) != "p0p1a" || err != ErrTooMuch {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCarrierBlamesTheNetworkFirst(t *testing.T) {
	c := libConnOn(conversation{strings.NewReader("")}, 5)
	testkit.Equal(t, c.Fault(LoginStep, errors.New("odd")).Error(), "login: odd")
	c.Read(make([]byte, 1))
	testkit.Equal(t, c.Fault(LoginStep, errors.New("odd")).Error(), "login: closed by the server")
}

func TestCarrierPassesPacketsAfterTheirHeaders(t *testing.T) {
	for says, want := range map[string]struct{ read, err string }{
		"p3abcp0p1d": {"p3abcp0p1d", "<nil>"},
		"p3ab":       {"p3ab", "<nil>"},
		"p3abcp":     {"p3abc", "unexpected EOF"},
		"p1axx":      {"p1a", `odd: got "xx"`},
		"p99":        {"", "the answer is too long"},
	} {
		var got bytes.Buffer
		c := libConnOn(conversation{strings.NewReader(says)}, len(says)+7)
		_, err := io.Copy(&got, c)
		testkit.Equal(t, got.String(), want.read, says)
		testkit.Equal(t, fmt.Sprint(err), want.err, says)
	}
}

// conversation is a connection that ends after a given text.
type conversation struct{ said io.Reader }

func (c conversation) Read(b []byte) (int, error)     { return c.said.Read(b) }
func (conversation) Write(b []byte) (int, error)      { return len(b), nil }
func (conversation) Close() error                     { return nil }
func (conversation) LocalAddr() net.Addr              { return nil }
func (conversation) RemoteAddr() net.Addr             { return nil }
func (conversation) SetDeadline(time.Time) error      { return nil }
func (conversation) SetReadDeadline(time.Time) error  { return nil }
func (conversation) SetWriteDeadline(time.Time) error { return nil }
