package protocol

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ldirectord/checker/query"
	"ldirectord/checker/wire"
)

// maxSQL limits a database's answer, in bytes. A longer answer may still pass, see sqlSeen.
const maxSQL = 1 << 20

// ofQuery returns the constructor of a check that runs a query. It removes the leading slash of the request. Without a
// query or login the check never succeeds, as in the Perl ldirectord.
func ofQuery(build func(s Spec, e *Env, query string) (Checker, error)) service {
	return func(s Spec, e *Env, _ *matcher) (Checker, error) {
		query := strings.TrimPrefix(s.Request, "/")
		if s.Login == "" || query == "" {
			return always{Detail: s.Service + " needs a login and a request"}, nil
		}
		return build(s, e, query)
	}
}

// sqlTalk logs in to a database and runs a query, which must return a row.
type sqlTalk struct {
	*talk
	query string
	clear clearText
}

// newSQL returns the part that the checks of mysql and pgsql share. run makes the check on a new connection, on which
// TLS has not started.
func newSQL(s Spec, e *Env, query string, run protocol) (sqlTalk, error) {
	receive, err := e.matcher("sqlreceive", s.SQLReceive)
	if err != nil {
		return sqlTalk{}, err
	}
	t, err := newTalk(s, e, receive, run)
	if err != nil {
		return sqlTalk{}, err
	}
	t.later = true
	return sqlTalk{t, query, clearText{refused: s.NoClearText}}, nil
}

// Check implements Checker.
func (t *sqlTalk) Check(ctx context.Context) Result {
	r := t.talk.Check(ctx)
	if t.clear.asked {
		r.Warning = "the server asks for the password in clear text; cleartext=no refuses that"
	}
	return r
}

// sqlSeen judges the result of a query. One row is enough, if its first value matches. An answer that exceeds the limit
// may pass if a row was read before. Any other error is a failure.
func (d *dialogue) sqlSeen(query string, rows int, first []byte, err error) (string, error) {
	if rows > 0 && errors.Is(err, wire.ErrTooMuch) {
		err = nil
	}
	switch {
	case err != nil:
	case rows == 0:
		err = fmt.Errorf("%s returned no row", sqlVerb(query))
	case d.receive != nil:
		err = d.want("the first value", first)
	}
	return sqlVerb(query) + " returned a row", err
}

// isLongRow reports whether an error means that a row was too long to read. Such a row is enough if there is no
// sqlreceive; otherwise isLongRow returns false.
func (t *terms) isLongRow(err error) bool {
	return t.receive.pattern == "" && errors.Is(err, wire.ErrTooMuch)
}

// clearText records whether a server may request the password in readable form, and whether it did.
type clearText struct {
	refused bool
	asked   bool // at least once; from then on, each result has the warning
}

// ask is called when the server requests the password in readable form.
func (c *clearText) ask() error {
	if c.refused {
		return wire.ErrClearText
	}
	c.asked = true
	return nil
}

// sqlVerb names a query in messages: by its first word, if it begins with one.
func sqlVerb(text string) string {
	if verb := query.Verb(text); verb != "" {
		return wire.Show(verb)
	}
	return "the query"
}
