package protocol

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
)

// soon gives a check a short timeout, for servers that don't answer.
func soon(s *Spec) { s.NegotiateTimeout = 150 * time.Millisecond }

// inItsTime makes a check and compares its result. On a busy machine a check may reach its deadline in an earlier
// stage than the expected one. Then it is made again with more time.
func inItsTime(t *testing.T, s Spec, e *Env, want string) (took time.Duration, of time.Duration) {
	t.Helper()
	first := s.NegotiateTimeout
	moreTime(first, func(limit time.Duration) (Result, bool) {
		s.NegotiateTimeout = limit
		begin := time.Now()
		r := build(t, s, e).Check(t.Context())
		took, of = time.Since(begin), limit
		if took > limit+spare {
			t.Errorf("took %v of %v", took, limit)
		}
		return r, fits(r, strings.ReplaceAll(want, first.String(), limit.String()))
	}, func(r Result) { expect(t, r, want, "in", first) })
	return took, of
}

// moreTime makes a check with a time limit. If the result differs and the check timed out, it makes the check again
// with a longer limit.
func moreTime(limit time.Duration, check func(limit time.Duration) (r Result, fits bool), wrong func(Result)) {
	for ; ; limit *= 5 {
		r, fits := check(limit)
		if !fits && r.Cause == checker.Timeout && limit < inTime {
			continue
		}
		if !fits {
			wrong(r)
		}
		return
	}
}

// A check that is cancelled while its server is silent ends at once, and proves nothing about the server.
func TestChecksEndWhenCancelled(t *testing.T) {
	needsOracle(t)
	for service, begun := range map[string]string{"ldap": "@bound", "mysql": "@login", "pgsql": "@start",
		"oracle": "@asked", "redis": ""} {
		t.Run(service, func(t *testing.T) {
			testkit.Leaks(t)
			ctx, cancel := context.WithCancel(t.Context())
			d := newDialogues(t, dialogueFolder+service+".txt")
			d.cases(strings.NewReplacer())
			script := append(d.script(d.expand(begun, 2)), func(c *client) bool {
				cancel()
				return silent(c)
			})
			good := goodSpecs[service]
			good.Target = serveScript(t, "127.0.0.1", script...)
			good.NegotiateTimeout = time.Minute
			begun := time.Now()
			expect(t, build(t, good, nil).Check(ctx), "shortage: stopped")
			if took := time.Since(begun); took > inTime {
				t.Errorf("took %v", took)
			}
		})
	}
}

// heedless sends its answer at once, without reading a request, and closes when the client does.
func heedless(says string) func(*testServer, net.Conn) {
	return func(s *testServer, c net.Conn) {
		c.Write([]byte(says))
		silence(s, c)
	}
}

// closing ends each connection at once, with FIN.
func closing(s *testServer, c net.Conn) {
	c.(*net.TCPConn).CloseWrite()
	silence(s, c)
}

// checkStopped checks a real server whose processes are all stopped.
func checkStopped(t *testing.T, pid int, s Spec, want string) {
	t.Helper()
	t.Run("stopped processes", func(t *testing.T) {
		freeze(t, pid)
		soon(&s)
		expect(t, checked(t, s), want)
	})
}
