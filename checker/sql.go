package checker

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// maxSQL bounds what a database may say, in bytes. A query that finds more has found a row.
const maxSQL = 1 << 20

// sqlQuery is the query of a request, which stands behind the slash that requests get. An empty one,
// or no login, is a check that never succeeds, as in the reference.
func sqlQuery(s Spec) (string, error) {
	query := strings.TrimPrefix(s.Request, "/")
	if s.Login == "" || query == "" {
		return "", fmt.Errorf("%s needs a login and a request", s.Service)
	}
	return query, nil
}

// sqlResult judges what came of a query: one row is enough. What is too long to be read began with
// rows; any other error counts.
func sqlResult(ctx context.Context, query string, rows int, err error) Result {
	switch {
	case err != nil && !(errors.Is(err, errTooMuch) && rows > 0):
		return failed(ctx, err)
	case rows == 0:
		return failed(ctx, fmt.Errorf("%s returned no row", sqlVerb(query)))
	}
	return Result{OK: true, Detail: sqlVerb(query) + " returned a row"}
}

// sqlVerb is the first word of a query.
func sqlVerb(query string) string {
	words := strings.Fields(query)
	if len(words) == 0 {
		return "the query"
	}
	return strings.ToUpper(escape(words[0], 20))
}

// sqlWrites tells whether a query changes rows instead of returning some. It counts those, as the
// reference does.
func sqlWrites(query string) bool {
	switch sqlVerb(query) {
	case "INSERT", "REPLACE", "UPDATE", "DELETE":
		return true
	}
	return false
}
