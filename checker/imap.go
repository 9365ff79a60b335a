package checker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// imap logs in to a mail server (RFC 3501, 6.2.3). Without a log-in the greeting is enough.
type imap struct{ login, passwd string }

func newIMAP(s Spec, e *Env) (Checker, error) {
	return newLineCheck(s, e, imap{s.Login, s.Passwd})
}

func (t imap) run(_ context.Context, d *dialogue) (string, error) {
	greeting, err := d.line("the greeting")
	if err != nil {
		return "", err
	}
	status, isGreeting := imapStatus(greeting, "*")
	if !isGreeting {
		return "", d.notProtocol("IMAP", greeting)
	}
	defer d.quit("b LOGOUT")
	if d.offered != nil && (status == "OK" || status == "PREAUTH") {
		return t.secured(d, status, greeting)
	}
	switch {
	case status == "PREAUTH", status == "OK" && t.login == "":
		return d.show(greeting), nil
	case status != "OK":
		return "", fmt.Errorf("greeting: %s", d.show(greeting))
	case strings.Contains(strings.ToUpper(greeting), "LOGINDISABLED"):
		return "", AtLogin.of(errors.New("login not possible: the server wants TLS first (LOGINDISABLED)"))
	}
	seen, err := t.logIn(d)
	return seen, AtLogin.of(err)
}

// secured starts TLS and logs in. To a server that lets us in before, that is too late, and anybody
// may have said so in its name (RFC 3501, 6.2.1).
func (t imap) secured(d *dialogue, status, greeting string) (string, error) {
	if status == "PREAUTH" {
		return "", d.notOffered(greeting)
	}
	if err := d.send("STARTTLS", "s STARTTLS"); err != nil {
		return "", err
	}
	said, err := d.tagged("STARTTLS", "s")
	if err != nil {
		return "", err
	}
	if status, _ := imapStatus(said, "s"); status != "OK" {
		return "", d.notOffered(said)
	}
	if err := d.upgrade(); err != nil || t.login == "" {
		return d.show(greeting), err
	}
	seen, err := t.logIn(d)
	return seen, AtLogin.of(err)
}

// logIn says LOGIN. What the server can't take quoted waits for its invitation (RFC 3501, 4.3).
func (t imap) logIn(d *dialogue) (string, error) {
	command := "a LOGIN"
	for _, text := range []string{t.login, t.passwd} {
		if isQuotable(text) {
			command += " " + quoteIMAP(text)
			continue
		}
		if err := d.send("LOGIN", fmt.Sprintf("%s {%d}", command, len(text))); err != nil {
			return "", err
		}
		if said, err := d.tagged("LOGIN", "+", "a"); err != nil {
			return "", err
		} else if !strings.HasPrefix(said, "+") {
			return "", fmt.Errorf("login rejected: %s", d.show(said))
		}
		command = text
	}
	if err := d.send("LOGIN", command); err != nil {
		return "", err
	}
	said, err := d.tagged("LOGIN", "a")
	if err != nil {
		return "", err
	}
	if status, _ := imapStatus(said, "a"); status != "OK" {
		return "", fmt.Errorf("login rejected: %s", d.show(said))
	}
	return d.show(said), nil
}

// tagged reads up to the line that answers a command: one with a tag of those.
func (d *dialogue) tagged(command string, tags ...string) (string, error) {
	for {
		line, err := d.line("the answer to " + command)
		if err != nil {
			return "", err
		}
		tag, _, _ := strings.Cut(line, " ")
		switch {
		case slices.Contains(tags, tag):
			return line, nil
		case tag != "*":
			return "", d.notProtocol("IMAP", line)
		}
	}
}

// imapStatus is the status of a line with a tag: OK, NO, BAD, PREAUTH or BYE.
func imapStatus(line, tag string) (status string, ok bool) {
	words := strings.SplitN(line, " ", 3)
	if len(words) < 2 || words[0] != tag {
		return "", false
	}
	switch status := strings.ToUpper(words[1]); status {
	case "OK", "NO", "BAD", "PREAUTH", "BYE":
		return status, true
	}
	return "", false
}

// isQuotable reports whether a quoted string may hold a text.
func isQuotable(text string) bool {
	for _, c := range []byte(text) {
		if c == 0 || c == '\r' || c == '\n' || c >= 0x80 {
			return false
		}
	}
	return true
}

func quoteIMAP(text string) string {
	text = strings.ReplaceAll(text, `\`, `\\`)
	return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
}
