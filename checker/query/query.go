// Package query runs the query of a check with a driver for database/sql. It does not judge the result: sqlSeen in
// package protocol does.
package query

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Session is a driver's connection, without the pool of database/sql, which would hide a dead server. Its calls have no
// deadline, but the network connection below it has one.
type Session interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
}

// returning matches a query that has RETURNING outside of quotes.
var returning = regexp.MustCompile("(?i)^([^'\"`]|" + quoted + ")*\\breturning\\s+[^=\\s]")

const quoted = `'([^'\\]|\\.)*'|"([^"\\]|\\.)*"|` + "`[^`]*`"

// onlyChanges reports whether a query changes rows and returns none. Run then counts the changed rows, as the Perl
// ldirectord does.
func onlyChanges(query string) bool {
	changes := slices.Contains([]string{"INSERT", "REPLACE", "UPDATE", "DELETE"}, Verb(query))
	return changes && !returning.MatchString(query)
}

// Run runs the query and reads the whole answer, unless the connection's size limit cuts it off. If the query only
// changes rows, rows is how many it changed. Otherwise rows is 1 if the query returned a row, or else 0, and first is
// the first value of that row; "" for NULL.
func Run(session Session, query string) (rows int, first string, err error) {
	if onlyChanges(query) {
		done, err := session.ExecContext(context.Background(), query, nil)
		if err != nil {
			return 0, "", err
		}
		touched, err := done.RowsAffected()
		return int(touched), "", err
	}
	found, err := session.QueryContext(context.Background(), query, nil)
	if err != nil {
		return 0, "", err
	}
	row := make([]driver.Value, len(found.Columns()))
	switch err := found.Next(row); {
	case err == nil:
		rows, first = 1, textOf(row)
	case err != io.EOF:
		return 0, "", err
	}
	return rows, first, found.Close()
}

// textOf returns the first value of a row as text. A number has no exponent.
func textOf(row []driver.Value) string {
	if len(row) == 0 || row[0] == nil {
		return ""
	}
	switch v := row[0].(type) {
	case []byte:
		return string(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case float32:
		return strconv.FormatFloat(float64(v), 'f', -1, 32)
	}
	return fmt.Sprint(row[0])
}

// Verb returns the first word of a query in upper case, after blanks and opening parentheses, or "" if something else
// comes first.
func Verb(query string) string {
	query = strings.ToUpper(strings.TrimLeft(query, " \t\r\n("))
	return query[:len(query)-len(strings.TrimLeft(query, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
}
