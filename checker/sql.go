package checker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ldirectord/checker/query"
	"ldirectord/checker/wire"
)

// maxSQL bounds what a database may say, in bytes. A query that finds more has found a row.
const maxSQL = 1 << 20

// ofQuery makes the constructor of a check that runs a query, which follows the slash that requests get. An empty one,
// or no login, is a check that never succeeds, as in the Perl ldirectord.
func ofQuery(build func(s Spec, e *Env, query string) (Checker, error)) constructor {
	return func(s Spec, e *Env) (Checker, error) {
		query := strings.TrimPrefix(s.Request, "/")
		if s.Login == "" || query == "" {
			return always{Detail: s.Service + " needs a login and a request"}, nil
		}
		return build(s, e, query)
	}
}

// sqlSeen judges what came of a query: one row is enough. What is too long to be read began with
// rows; any other error counts.
func sqlSeen(query string, rows int, err error) (string, error) {
	switch {
	case rows == 0 && err == nil:
		err = fmt.Errorf("%s returned no row", sqlVerb(query))
	case rows > 0 && errors.Is(err, wire.ErrTooMuch):
		err = nil
	}
	return sqlVerb(query) + " returned a row", err
}

// clearText is a check whose server may ask for the password in a way that lets it read the password.
type clearText struct {
	Checker
	refused bool
	asked   bool // at least once: it is reported as long as the check is the same
}

// ask is the server's demand.
func (c *clearText) ask() error {
	if c.refused {
		return wire.ErrClearText
	}
	c.asked = true
	return nil
}

// Check implements Checker.
func (c *clearText) Check(ctx context.Context) Result {
	r := c.Checker.Check(ctx)
	if c.asked {
		r.Warning = "the server asks for the password in clear; cleartext=no refuses that"
	}
	return r
}

// sqlVerb is the word that a query begins with.
func sqlVerb(text string) string {
	if verb := query.Verb(text); verb != "" {
		return wire.Show(verb)
	}
	return "the query"
}

// sqlAsk logs in, runs the query and logs out. fault explains what went wrong in a step.
func sqlAsk(text string, logIn func() (query.Session, error), fault func(wire.LibStep, error) error) (string, error) {
	session, err := logIn()
	if err != nil {
		return "", fault(wire.LoginStep, err)
	}
	defer session.Close()
	rows, err := query.Run(session, text)
	if err != nil {
		err = fault(wire.QueryStep, err)
	}
	return sqlSeen(text, rows, err)
}
