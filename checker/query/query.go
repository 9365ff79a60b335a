// Package query runs the one query of a check by a driver of database/sql.
package query

import (
	"context"
	"database/sql/driver"
	"fmt"
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

// Run makes the query and reads its answer to the end, or to its limit. It returns the number of rows, up to the limit,
// and the first value of the first row; "" for NULL.
func Run(session Session, query string) (rows int, first string, err error) {
	// Changed rows count as well, as in the Perl ldirectord.
	if slices.Contains([]string{"INSERT", "REPLACE", "UPDATE", "DELETE"}, Verb(query)) {
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

// textOf is the first value of a row as text.
func textOf(row []driver.Value) string {
	if len(row) == 0 || row[0] == nil {
		return ""
	}
	if text, is := row[0].([]byte); is {
		return string(text)
	}
	return fmt.Sprint(row[0])
}

// Verb is the first word of a query; "" if it begins with no word.
func Verb(query string) string {
	query = strings.ToUpper(strings.TrimLeft(query, " \t\r\n("))
	return query[:len(query)-len(strings.TrimLeft(query, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
}
