package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxLine limits the length of a line from a server, in bytes.
const maxLine = 4 << 10

// Send sends a command. The argument what names the command in messages, because the command itself may contain a
// password.
func (d *Dialogue) Send(what, command string) error {
	err := d.Conn.Send(what, []byte(command+"\r\n"))
	d.lost = d.lost || err != nil
	return err
}

// Request sends a command and reads the first line of its answer. The argument what names the command in messages.
func (d *Dialogue) Request(what, command string) (answer string, err error) {
	if err := d.Send(what, command); err != nil {
		return "", err
	}
	return d.Line("the answer to " + what)
}

// Line reads a line, without its line break. The argument awaited names the line in messages.
func (d *Dialogue) Line(awaited string) (string, error) {
	line, err := d.In.ReadSlice('\n')
	if err == nil {
		return strings.TrimRight(string(line), "\r\n"), nil
	}
	d.lost = true
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("a line of more than %d bytes in %s", maxLine, awaited)
	case errors.Is(err, ErrTooMuch):
		return "", fmt.Errorf("more than %d bytes sent before the end of %s", MaxTalk, awaited)
	}
	return "", AwaitFault(awaited, len(line) > 0, err)
}

// NotProtocol returns the error for a server that uses another protocol. No quit command is sent to such a server.
func (d *Dialogue) NotProtocol(protocol, reply string) error {
	d.lost = true
	return fmt.Errorf("not %s: %s", protocol, Excerpt(reply))
}

// Quit ends a conversation with the protocol's quit command. It lets the server close first. The side that closes first
// keeps its port busy for a minute, so this machine could run out of ports.
func (d *Dialogue) Quit(command string) {
	if d.lost {
		return
	}
	d.hurry()
	if d.Send(command, command) == nil {
		io.Copy(io.Discard, d.In)
	}
}

// Reply is a numbered reply of SMTP (RFC 5321, 4.2), FTP (RFC 959, 4.2) or NNTP (RFC 3977, 3.1). A reply of POP is
// given a number as well.
type Reply struct {
	Code int
	Text string   // its first line, with the number
	more []string // the lines after it
}

// Good reports whether the server agrees.
func (r Reply) Good() bool { return r.Code/100 == 2 }

// Reply reads a numbered reply of one line or more. The lines between the first and the last may contain anything (RFC
// 959).
func (d *Dialogue) Reply(awaited string) (r Reply, err error) {
	for {
		line, err := d.Line(awaited)
		if err != nil {
			return Reply{}, err
		}
		code, more := parseReply(line)
		switch d.protocol {
		case "POP":
			code, more = popCode(line), false
		case "NNTP": // a hyphen after the number means nothing
			more = false
		}
		switch {
		case r.Code != 0:
			r.more = append(r.more, line)
			// In the last line, the number is followed by a space or by nothing.
			more = len(line) > 3 && line[3] != ' '
		case code == 0:
			return Reply{}, d.NotProtocol(d.protocol, line)
		default:
			r = Reply{Code: code, Text: line}
		}
		if code == r.Code && !more {
			return r, nil
		}
	}
}

// Greeting reads the first reply of a protocol with numbered replies, and returns its text for messages. A reply that
// is not good is an error.
func (d *Dialogue) Greeting(protocol string) (string, error) {
	d.protocol = protocol
	r, err := d.Reply("the greeting")
	return Show(r.Text), Agreed(err, r.Good(), "greeting", r.Text)
}

// Agreed returns err if it is not nil. Otherwise, if the server does not agree, it returns an error with the server's
// reply.
func Agreed(err error, agrees bool, refused, reply string) error {
	if err == nil && !agrees {
		err = fmt.Errorf("%s: %s", refused, Show(reply))
	}
	return err
}

// Has reports whether a line after the first is the keyword of an extension (RFC 5321, 4.1.1.1).
func (r Reply) Has(keyword string) bool {
	return slices.ContainsFunc(r.more, func(line string) bool {
		return len(line) > 4 && strings.EqualFold(line[4:], keyword)
	})
}

// numbered matches the beginning of a numbered line. As in the Perl ldirectord, anything but a digit may follow the
// number, as in 220mx.
var numbered = regexp.MustCompile(`^([1-5][0-9]{2})(-?)(?:[^0-9]|$)`)

// parseReply returns the number in a line of a reply, or 0 if there is none, and whether more lines follow.
func parseReply(line string) (code int, more bool) {
	m := numbered.FindStringSubmatch(line)
	if m == nil {
		return 0, false
	}
	code, _ = strconv.Atoi(m[1])
	return code, m[2] != ""
}

// popCode returns the number for a reply of POP (RFC 1939, 3). Lower case is accepted, as in the Perl ldirectord.
func popCode(line string) int {
	status := strings.ToUpper(line[:min(len(line), 4)])
	switch {
	case strings.HasPrefix(status, "+OK"):
		return 200
	case status == "-ERR":
		return 500
	}
	return 0
}

// Ask sends a command and reads its numbered reply.
func (d *Dialogue) Ask(command string) (Reply, error) {
	verb, _, _ := strings.Cut(command, " ")
	if err := d.Send(verb, command); err != nil {
		return Reply{}, err
	}
	return d.Reply("the answer to " + verb)
}

// AskTLS requests TLS with a command. If the code of the reply equals agrees, it starts TLS.
func (d *Dialogue) AskTLS(command string, agrees int) error {
	r, err := d.Ask(command)
	return d.StartTLS(r.Text, r.Code == agrees, err)
}
