package checker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// maxLine bounds a line of a server, in bytes.
const maxLine = 4 << 10

// send sends a command. Messages call it what, as it may contain a password.
func (d *Dialogue) send(what, command string) error {
	if _, err := io.WriteString(d.conn, command+"\r\n"); err != nil {
		d.lost = true
		return stageFault("sending "+what, err)
	}
	return nil
}

// request sends a command and reads the first line of its answer. Messages call it what.
func (d *Dialogue) request(what, command string) (answer string, err error) {
	if err := d.send(what, command); err != nil {
		return "", err
	}
	return d.line("the answer to " + what)
}

// line reads a line, without its end. The messages call it what is awaited.
func (d *Dialogue) line(awaited string) (string, error) {
	line, err := d.in.ReadSlice('\n')
	if err == nil {
		return strings.TrimRight(string(line), "\r\n"), nil
	}
	d.lost = true
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("a line of more than %d bytes in %s", maxLine, awaited)
	case errors.Is(err, errTooMuch):
		return "", fmt.Errorf("more than %d bytes said up to %s", maxTalk, awaited)
	}
	return "", awaitFault(awaited, len(line) > 0, err)
}

// notProtocol is the error of a server that speaks something else. It would not understand the command to quit.
func (d *Dialogue) notProtocol(protocol, said string) error {
	d.lost = true
	return fmt.Errorf("not %s: %s", protocol, excerpt(said))
}

// quit ends a conversation in the protocol's way. The server closes first, as who does so keeps
// the port busy for a minute: here ports would run out.
func (d *Dialogue) quit(command string) {
	if d.lost {
		return
	}
	d.hurry()
	if d.send(command, command) == nil {
		io.Copy(io.Discard, d.in)
	}
}

// reply is a numbered reply: of SMTP (RFC 5321, 4.2), FTP (RFC 959, 4.2) or NNTP (RFC 3977, 3.1).
type reply struct {
	code int
	text string   // its first line, with the number
	more []string // the lines after it
}

// good reports whether the server agrees.
func (r reply) good() bool { return r.code/100 == 2 }

// reply reads a numbered reply of one line or more. The lines in between may be anything (RFC 959).
func (d *Dialogue) reply(protocol, awaited string) (r reply, err error) {
	for {
		line, err := d.line(awaited)
		if err != nil {
			return reply{}, err
		}
		code, more := parseReply(line)
		switch {
		case r.code != 0:
			r.more = append(r.more, line)
		case code == 0:
			return reply{}, d.notProtocol(protocol, line)
		default:
			r = reply{code: code, text: line}
		}
		if code == r.code && !more {
			return r, nil
		}
	}
}

// greeting reads the first reply, which must be good, and returns it as it is shown.
func (d *Dialogue) greeting(protocol string) (string, error) {
	r, err := d.reply(protocol, "the greeting")
	return show(r.text), agreed(err, r.good(), "greeting", r.text)
}

// agreed is the error of a question or, where the server does not agree in what it said, that it refused.
func agreed(err error, agrees bool, refused, said string) error {
	if err == nil && !agrees {
		err = fmt.Errorf("%s: %s", refused, show(said))
	}
	return err
}

// has reports whether a line after the first names an extension (RFC 5321, 4.1.1.1).
func (r reply) has(keyword string) bool {
	return slices.ContainsFunc(r.more, func(line string) bool {
		return len(line) > 4 && strings.EqualFold(line[4:], keyword)
	})
}

// parseReply reads the number of a reply's line, and whether more lines follow. 0 is no reply.
func parseReply(line string) (code int, more bool) {
	if len(line) < 3 || line[0] < '1' || line[0] > '5' || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0, false
	}
	code, _ = strconv.Atoi(line[:3])
	return code, strings.HasPrefix(line[3:], "-")
}

// ask sends a command and reads its numbered reply.
func (d *Dialogue) ask(protocol, command string) (reply, error) {
	verb, _, _ := strings.Cut(command, " ")
	if err := d.send(verb, command); err != nil {
		return reply{}, err
	}
	return d.reply(protocol, "the answer to "+verb)
}
