package main

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

func TestExplain(t *testing.T) {
	s := &stage{
		webs:  []*web{{name: "web1", addr: "127.0.0.1:8081"}},
		sorry: &web{name: "fallback server", addr: "127.0.0.1:8084"},
	}
	const head = "[Fri Nov 20 07:53:43 2026|demo.cf|42] "
	testkit.Equal(t, s.explain(""), "")
	for _, row := range testkit.Table(t, "testdata/explain.txt", 2) {
		testkit.Equal(t, s.explain(strings.Replace(row[0], "HEAD ", head, 1)), row[1], row[0])
	}
}
