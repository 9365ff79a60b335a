package checker

import (
	"context"
	"fmt"
	"strings"
)

// pop logs in to a mailbox (RFC 1939). Without a log-in the greeting is enough.
type pop struct{ login, passwd string }

func newPOP(s Spec, e *Env) (Checker, error) {
	return newLineCheck(s, e, pop{s.Login, s.Passwd})
}

func (t pop) run(_ context.Context, d *dialogue) (string, error) {
	ok, said, err := d.popLine("the greeting")
	if err != nil {
		return "", err
	}
	defer d.quit("QUIT")
	if !ok {
		return "", fmt.Errorf("greeting: %s", d.show(said))
	}
	if d.offered != nil {
		if err := t.secure(d); err != nil {
			return "", err
		}
	}
	if t.login == "" {
		return d.show(said), nil
	}
	seen, err := t.logIn(d)
	return seen, AtLogin.of(err)
}

// secure starts TLS (RFC 2595, 4).
func (t pop) secure(d *dialogue) error {
	if err := d.send("STLS", "STLS"); err != nil {
		return err
	}
	ok, said, err := d.popLine("the answer to STLS")
	switch {
	case err != nil:
		return err
	case !ok:
		return d.notOffered(said)
	}
	return d.upgrade()
}

func (t pop) logIn(d *dialogue) (string, error) {
	if err := d.send("USER", "USER "+t.login); err != nil {
		return "", err
	}
	ok, said, err := d.popLine("the answer to USER")
	if err == nil && ok {
		if err := d.send("PASS", "PASS "+t.passwd); err != nil {
			return "", err
		}
		ok, said, err = d.popLine("the answer to PASS")
	}
	if err == nil && !ok {
		err = fmt.Errorf("login rejected: %s", d.show(said))
	}
	return d.show(said), err
}

// popLine reads a line of POP: ok is its +OK.
func (d *dialogue) popLine(awaited string) (ok bool, said string, err error) {
	line, err := d.line(awaited)
	if err != nil {
		return false, "", err
	}
	switch status, _, _ := strings.Cut(line, " "); status {
	case "+OK":
		return true, line, nil
	case "-ERR":
		return false, line, nil
	}
	return false, "", d.notProtocol("POP", line)
}
