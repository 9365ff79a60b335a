package checker

import (
	"strings"

	"ldirectord/checker/wire"
)

// pop logs in to a mailbox (RFC 1939). Without a log-in the greeting is enough.
func pop(d *dialogue) (string, error) {
	defer d.Quit("QUIT")
	said, ok, err := d.replyPOP(d.Line("the greeting"))
	err = wire.Agreed(err, ok, "greeting", said)
	if err == nil && d.Offered != nil {
		err = d.StartTLS(d.askPOP("STLS")) // RFC 2595, 4
	}
	if err != nil || d.Login == "" {
		return wire.Show(said), err
	}
	seen, err := logInPOP(d)
	return seen, wire.AtLogin.Of(err)
}

func logInPOP(d *dialogue) (string, error) {
	said, ok, err := d.askPOP("USER " + d.Login)
	if err == nil && ok {
		said, ok, err = d.askPOP("PASS " + d.Passwd)
	}
	return wire.Show(said), wire.Agreed(err, ok, "login rejected", said)
}

// askPOP sends a command and reads its reply.
func (d *dialogue) askPOP(command string) (said string, ok bool, err error) {
	verb, _, _ := strings.Cut(command, " ")
	return d.replyPOP(d.Request(verb, command))
}

// replyPOP parses a reply line; ok: it begins with +OK.
func (d *dialogue) replyPOP(line string, failed error) (said string, ok bool, err error) {
	if failed != nil {
		return "", false, failed
	}
	switch status, _, _ := strings.Cut(line, " "); status {
	case "+OK":
		return line, true, nil
	case "-ERR":
		return line, false, nil
	}
	return "", false, d.NotProtocol("POP", line)
}
