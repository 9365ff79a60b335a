package checker

import (
	"context"
	"fmt"
	"strings"
)

// imap logs in to a mail server (RFC 3501, 6.2.3). Without a log-in the greeting is enough.
type imap struct{ login, passwd string }

func newIMAP(s Spec) Checker { return newLineCheck(s, imap{s.Login, s.Passwd}) }

func newIMAPS(s Spec) Checker { return newLineCheck(s, imap{s.Login, s.Passwd}).overTLS(s) }

func (t imap) with(_ context.Context, d *dialogue) (string, error) {
	greeting, err := d.line("the greeting")
	if err != nil {
		return "", err
	}
	status, isGreeting := imapStatus(greeting, "*")
	if !isGreeting {
		return "", d.garbage("IMAP", greeting)
	}
	defer d.goodbye("b LOGOUT")
	switch {
	case status == "PREAUTH", status == "OK" && t.login == "":
		return d.show(greeting), nil
	case status != "OK":
		return "", fmt.Errorf("greeting: %s", d.show(greeting))
	case strings.Contains(strings.ToUpper(greeting), "LOGINDISABLED"):
		return "", fmt.Errorf("login not possible: the server wants TLS first (LOGINDISABLED)")
	}
	return t.logIn(d)
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
		if said, err := d.tagged("+"); err != nil {
			return "", err
		} else if !strings.HasPrefix(said, "+") {
			return "", fmt.Errorf("login rejected: %s", d.show(said))
		}
		command = text
	}
	if err := d.send("LOGIN", command); err != nil {
		return "", err
	}
	said, err := d.tagged("a")
	if err != nil {
		return "", err
	}
	if status, _ := imapStatus(said, "a"); status != "OK" {
		return "", fmt.Errorf("login rejected: %s", d.show(said))
	}
	return d.show(said), nil
}

// tagged reads up to the line that answers LOGIN: an invitation, when one is wanted, or the result.
func (d *dialogue) tagged(want string) (string, error) {
	for {
		line, err := d.line("the answer to LOGIN")
		if err != nil {
			return "", err
		}
		tag, _, _ := strings.Cut(line, " ")
		switch {
		case tag == want, tag == "a":
			return line, nil
		case tag != "*":
			return "", d.garbage("IMAP", line)
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

// isQuotable tells whether a quoted string may hold a text.
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
