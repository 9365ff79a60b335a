package checker

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
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
	case rows > 0 && errors.Is(err, errTooMuch):
		err = nil
	}
	return sqlVerb(query) + " returned a row", err
}

// clearText is a check whose server may ask for the password in a way that lets the one who answers read it.
type clearText struct {
	Checker
	refused bool
	asked   bool // at least once: it is reported as long as the check is the same
}

var errClearText = errors.New("the server asks for the password in clear, which cleartext=no refuses")

// ask is the server's demand.
func (c *clearText) ask() error {
	if c.refused {
		return errClearText
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
func sqlVerb(query string) string {
	query = strings.ToUpper(strings.TrimLeft(query, " \t\r\n("))
	verb := query[:len(query)-len(strings.TrimLeft(query, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
	if verb == "" {
		return "the query"
	}
	return show(verb)
}

// sqlSession is a driver's connection, without the pool of database/sql, which would hide a dead
// server. Its context is never done: the connection below it has the deadline.
type sqlSession interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
}

// sqlAsk logs in, runs the query and logs out. fault explains what went wrong in a step.
func sqlAsk(query string, logIn func() (sqlSession, error), fault func(libStep, error) error) (seen string, err error) {
	session, err := logIn()
	if err != nil {
		return "", fault(loginStep, err)
	}
	defer session.Close()
	rows, err := sqlRun(session, query)
	if err != nil {
		err = fault(queryStep, err)
	}
	return sqlSeen(query, rows, err)
}

// sqlRun makes the query and reads its answer to the end, or to its limit. It returns how many rows
// came, as far as it matters.
func sqlRun(session sqlSession, query string) (rows int, err error) {
	if sqlWrites(query) {
		done, err := session.ExecContext(context.Background(), query, nil)
		if err != nil {
			return 0, err
		}
		touched, err := done.RowsAffected()
		return int(touched), err
	}
	found, err := session.QueryContext(context.Background(), query, nil)
	if err != nil {
		return 0, err
	}
	switch err := found.Next(make([]driver.Value, len(found.Columns()))); {
	case err == nil:
		rows = 1
	case err != io.EOF:
		return 0, err
	}
	return rows, found.Close()
}

// sqlWrites reports whether a query changes rows instead of returning some. Those count, as in the
// Perl ldirectord.
func sqlWrites(query string) bool {
	return slices.Contains([]string{"INSERT", "REPLACE", "UPDATE", "DELETE"}, sqlVerb(query))
}
