package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"strings"
	"time"

	"ldirectord/checker/wire"
)

// Limits of one SMTP session.
const (
	smtpStepTime    = time.Minute      // connecting, the greeting, each command with its reply, a part of the text
	smtpTextTime    = 10 * time.Minute // the reply after the text: the server may take the mail and reply late
	smtpSessionTime = 15 * time.Minute // the whole session
	maxSMTPReplies  = 256 << 10        // bytes that a server may send in total
)

// sendSMTP hands a letter to its SMTP server (RFC 5321). A 5xx reply is final. After any other error of the session the
// letter is tried again.
func sendSMTP(ctx context.Context, dial func(ctx context.Context, network, address string) (net.Conn, error),
	l *letter) (again []string, err error) {
	if len(l.to) == 0 {
		return nil, fmt.Errorf("no address in %q", l.toLine)
	}
	ctx, cancel := context.WithTimeout(ctx, smtpSessionTime)
	defer cancel()
	dialCtx, cancel := context.WithTimeout(ctx, smtpStepTime)
	defer cancel()
	conn, err := dial(dialCtx, "tcp", smtpAddress(l.smtp))
	if err != nil {
		return l.to, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(smtpStepTime)) // a socket supports deadlines, here and below
	host, _, _ := net.SplitHostPort(smtpAddress(l.smtp))
	bounded := &boundedConn{conn, maxSMTPReplies, smtpStepTime}
	server, err := smtp.NewClient(bounded, host)
	if err = during("greeting", err); err == nil {
		err = during("EHLO", server.Hello(wire.SMTPName(hostName(), conn.LocalAddr())))
	}
	if err == nil {
		err = l.logIn(server, host)
	}
	if err == nil {
		err = during("MAIL", l.begin(server))
	}
	if err != nil {
		return unlessFinal(err, l.to), err
	}
	return transact(server, bounded, l)
}

// logIn starts TLS (RFC 3207) and logs in (RFC 4954), as the letter requires. It sends a password only over TLS, to a
// server whose certificate is valid for its name.
func (l *letter) logIn(server *smtp.Client, host string) error {
	if l.tls == "" || l.tls == "no" {
		return nil
	}
	if offered, _ := server.Extension("STARTTLS"); offered {
		rules := &tls.Config{ServerName: host, RootCAs: l.roots,
			InsecureSkipVerify: l.tls == "offered" && l.user == ""}
		if err := server.StartTLS(rules); err != nil {
			return during("STARTTLS", err)
		}
		if l.user == "" {
			return nil
		}
		password, err := l.password()
		if err != nil {
			return fmt.Errorf("the password of %s: %w", l.user, err)
		}
		return during("AUTH", server.Auth(smtp.PlainAuth("", l.user, password, host)))
	}
	if l.tls == "required" || l.user != "" {
		return errors.New("STARTTLS: the server does not offer TLS")
	}
	return nil
}

// begin names the sender, and requests only the extensions that the mail needs. ([smtp.Client.Mail] requests all those
// that the server offers. If the next server lacks one of them, a relay must bounce the mail.)
func (l *letter) begin(server *smtp.Client) error {
	if strings.ContainsAny(l.sender, "\r\n") {
		return errors.New("the sender address contains a line break")
	}
	command := "MAIL FROM:<" + l.sender + ">"
	if offered, _ := server.Extension("8BITMIME"); offered && !isASCII(l.text()) {
		command += " BODY=8BITMIME"
	}
	if offered, _ := server.Extension("SMTPUTF8"); offered && !isASCII(l.sender+strings.Join(l.to, "")) {
		command += " SMTPUTF8"
	}
	id, err := server.Text.Cmd("%s", command)
	if err != nil {
		return err
	}
	server.Text.StartResponse(id)
	defer server.Text.EndResponse(id)
	_, _, err = server.Text.ReadResponse(250)
	return err
}

// during adds the name of a step of the session to an error.
func during(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		limit := smtpStepTime
		if name == textEnd {
			limit = smtpTextTime
		}
		return fmt.Errorf("%s: no answer in %v", name, limit)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: closed by the server", name)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// transact delivers one mail to the recipients that the server accepts.
func transact(server *smtp.Client, conn *boundedConn, l *letter) (again []string, err error) {
	var taken, later []string
	var refused, deferred error
	for _, to := range l.to {
		err := during("RCPT "+to, server.Rcpt(to))
		switch {
		case err == nil:
			taken = append(taken, to)
		case refusal(err) >= finalRefusal:
			refused = cmp.Or(refused, err)
		case refusal(err) > 0:
			later, deferred = append(later, to), cmp.Or(deferred, err)
		default:
			return l.to, err
		}
	}
	if len(taken) > 0 {
		if err := sendText(server, conn, l.text()); err != nil {
			refused = err
			later = append(later, unlessFinal(err, taken)...)
		}
	}
	_ = server.Quit() // the mail is sent or refused by now
	if refused == nil && len(later) == len(l.to) {
		refused = deferred
	}
	return later, refused
}

// textEnd is the step that ends a mail's text.
const textEnd = "end of DATA"

// sendText sends the text of a mail, and waits long for the reply. If a client gives up too early, the server may have
// taken the mail, and gets it again at the next try (RFC 5321, 4.5.3.2.6).
func sendText(server *smtp.Client, conn *boundedConn, text string) error {
	w, err := server.Data()
	if err != nil {
		return during("DATA", err)
	}
	if _, err = io.WriteString(w, text); err != nil {
		return during("text", err)
	}
	conn.step = smtpTextTime
	err = w.Close()
	conn.step = smtpStepTime
	return during(textEnd, err)
}

// smtpAddress returns the address of a server, with port 25 if it has no port.
func smtpAddress(server string) string {
	if _, port, err := net.SplitHostPort(server); err == nil && port != "" {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), "25")
}

// finalRefusal is the lowest code of a permanent refusal (RFC 5321, 4.2.1).
const finalRefusal = 500

// refusal returns the server's code if the error is a refusal, or 0 if it is any other error.
func refusal(err error) int {
	if reply, is := errors.AsType[*textproto.Error](err); is {
		return reply.Code
	}
	return 0
}

// unlessFinal returns the recipients to try again after an error. If the error is final, there are none.
func unlessFinal(err error, to []string) []string {
	if refusal(err) >= finalRefusal {
		return nil
	}
	return to
}

// boundedConn fails once the server has sent left bytes. Each command and its reply have a deadline of their own.
type boundedConn struct {
	net.Conn
	left int
	step time.Duration // until that deadline
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the server sent more than %d bytes", maxSMTPReplies)
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func (c *boundedConn) Write(p []byte) (int, error) {
	_ = c.SetDeadline(time.Now().Add(c.step))
	return c.Conn.Write(p)
}
