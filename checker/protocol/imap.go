package protocol

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ldirectord/checker/wire"
)

// imap logs in to a mail server (RFC 3501, 6.2.3). If login is not set, the greeting, and TLS if required, are enough.
func imap(d *dialogue) (string, error) {
	defer d.Quit("b LOGOUT")
	greeting, err := d.Line("the greeting")
	if err != nil {
		return "", err
	}
	status := imapStatus(greeting, "*")
	switch {
	case status == "":
		return "", d.NotProtocol("IMAP", greeting)
	case status == "PREAUTH" && d.Offered != nil:
		// It is too late for TLS, and the greeting may come from an attacker (RFC 3501, 6.2.1).
		return "", wire.NotOffered(greeting)
	case status == "PREAUTH":
		return wire.Show(greeting), nil
	case status != "OK":
		return "", fmt.Errorf("greeting: %s", wire.Show(greeting))
	case d.Offered != nil:
		var reply string
		reply, err = d.askIMAP("STARTTLS", "s STARTTLS", "s")
		err = d.StartTLS(reply, imapStatus(reply, "s") == "OK", err)
	case d.Login != "" && strings.Contains(strings.ToUpper(greeting), "LOGINDISABLED"):
		err = wire.AtLogin.Of(errors.New("login not possible: the server requires TLS first (LOGINDISABLED)"))
	}
	if err != nil || d.Login == "" {
		return wire.Show(greeting), err
	}
	seen, err := logInIMAP(d)
	return seen, wire.AtLogin.Of(err)
}

// logInIMAP sends LOGIN. Before it sends a literal, it waits until the server requests the continuation (RFC 3501,
// 4.3).
func logInIMAP(d *dialogue) (string, error) {
	command := "a LOGIN"
	for _, text := range []string{d.Login, d.Passwd} {
		if quotable.MatchString(text) {
			command += " " + quoteIMAP(text)
			continue
		}
		reply, err := d.askIMAP("LOGIN", fmt.Sprintf("%s {%d}", command, len(text)), "+", "a")
		err = wire.Agreed(err, strings.HasPrefix(reply, "+"), "login rejected", reply)
		if err != nil {
			return "", err
		}
		command = text
	}
	reply, err := d.askIMAP("LOGIN", command, "a")
	return wire.Show(reply), wire.Agreed(err, imapStatus(reply, "a") == "OK", "login rejected", reply)
}

// askIMAP sends a line of a command and reads up to the answer: a line that begins with one of the tags, or BYE.
func (d *dialogue) askIMAP(command, line string, tags ...string) (string, error) {
	answer, err := d.Request(command, line)
	for ; err == nil; answer, err = d.Line("the answer to " + command) {
		tag, _, _ := strings.Cut(answer, " ")
		switch {
		case slices.Contains(tags, tag), imapStatus(answer, "*") == "BYE":
			return answer, nil
		case tag != "*":
			return "", d.NotProtocol("IMAP", answer)
		}
	}
	return "", err
}

// imapStatus returns the status in a line that begins with the tag: OK, NO, BAD, PREAUTH or BYE; "" if there is none.
func imapStatus(line, tag string) string {
	words := strings.SplitN(line, " ", 3)
	if len(words) < 2 || words[0] != tag {
		return ""
	}
	switch status := strings.ToUpper(words[1]); status {
	case "OK", "NO", "BAD", "PREAUTH", "BYE":
		return status
	}
	return ""
}

// quotable matches a text that can be sent as a quoted string.
var quotable = regexp.MustCompile(`^[^\x00\r\n\x80-\x{10ffff}]*$`)

func quoteIMAP(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
