package protocol

import (
	"testing"

	"ldirectord/internal/testkit"
)

func TestSQLVerb(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 1":            "SELECT",
		"select(1)":           "SELECT",
		" \t\n((select 1))":   "SELECT",
		"insert into t":       "INSERT",
		"":                    "the query",
		"/* hm */ SELECT 1":   "the query",
		"\x1b[31mSELECT":      "the query",
		"secret' OR 'x' = 'x": "SECRET",
	} {
		testkit.Equal(t, sqlVerb(query), want, query)
	}
}
