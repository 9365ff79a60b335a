// Package query runs the one query of a check by a driver of database/sql.
package query

import (
	"context"
	"database/sql/driver"
	"io"
	"slices"
	"strings"
)

// Session is a driver's connection, without the pool of database/sql, which would hide a dead
// server. Its context is never done: the connection below it has the deadline.
type Session interface {
	driver.Conn
	driver.ExecerContext
	driver.QueryerContext
}

// Run makes the query and reads its answer to the end, or to its limit. It returns the number of rows, up to the limit.
func Run(session Session, query string) (rows int, err error) {
	// Changed rows count as well, as in the Perl ldirectord.
	if slices.Contains([]string{"INSERT", "REPLACE", "UPDATE", "DELETE"}, Verb(query)) {
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

// Verb is the first word of a query; "" if it begins with no word.
func Verb(query string) string {
	query = strings.ToUpper(strings.TrimLeft(query, " \t\r\n("))
	return query[:len(query)-len(strings.TrimLeft(query, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
}
