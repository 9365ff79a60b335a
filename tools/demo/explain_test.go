package main

import (
	"testing"

	"ldirectord/internal/testkit"
)

func TestExplain(t *testing.T) {
	s := &stage{
		webs:  []*web{{name: "web1", addr: "127.0.0.1:8081"}},
		sorry: &web{name: "fallback server", addr: "127.0.0.1:8084"},
	}
	const head = "[Fri Nov 20 07:53:43 2026|demo.cf|42] "
	for _, c := range []struct{ line, want string }{
		{head + "Quiescent real server: 127.0.0.1:8081 (127.0.0.1:8080) (Weight set to 0)",
			"web1 failed its check: with weight 0 it gets no new connections."},
		{"Quiescent real server: 127.0.0.1:8081 (127.0.0.1:8080) (Weight set to 0)",
			"web1 failed its check: with weight 0 it gets no new connections."},
		{head + "Readd Quiescent real server: 127.0.0.1:8081 (127.0.0.1:8080) (Weight set to 0)",
			"web1 failed its check: with weight 0 it gets no new connections."},
		{head + "Restored real server: 127.0.0.1:8081 (127.0.0.1:8080) (Weight set to 12)",
			"web1 is in service with weight 12."},
		{head + "Added real server: 127.0.0.1:8081 (127.0.0.1:8080) (Weight set to 2)",
			"web1 passed its check: it is in service with weight 2."},
		{head + "Added real server: 127.0.0.1:8081 (127.0.0.1:8080) (Weight set to 0)",
			"web1 is in the table with weight 0: it gets no new connections."},
		{head + "Added fallback server: 127.0.0.1:8084 (127.0.0.1:8080) (Weight set to 1)",
			"No web server is left: the fallback server answers."},
		{head + "Deleted real server: 127.0.0.1:9999 (127.0.0.1:8080)",
			"127.0.0.1:9999 failed its check: it is out of the table."},
		{head + "Purged real server (stop): 127.0.0.1:8081 (127.0.0.1:8080)", ""},
		{head + "Starting Linux Director Daemon", ""},
		{"", ""},
	} {
		testkit.Equal(t, s.explain(c.line), c.want, c.line)
	}
}
