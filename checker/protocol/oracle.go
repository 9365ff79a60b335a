package protocol

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/oracle"
	"ldirectord/checker/wire"
	"ldirectord/internal/subprocess"
)

// oracleCheck makes the program ldirectord-oracle log in to an Oracle database and run a query, which must return a
// row. The program speaks Oracle's protocol over sockets to this process. This process relays the data between the
// sockets and connections to the server, and limits how much the server may send. Not all of this was tested, because
// there is no free server (docs/checks.md).
type oracleCheck struct {
	external
	target   netip.AddrPort
	limit    time.Duration // the time that the server may take, from the program's first connection to it
	query    string
	question string
}

// newOracle returns the check of a Spec. The Spec's database is a SID or, after a slash, a service name.
func newOracle(s Spec, e *Env, query string) (Checker, error) {
	question, err := json.Marshal(oracle.Question{
		Server: s.Target, HostName: e.HostName,
		Login: []byte(s.Login), Password: []byte(s.Passwd), Database: []byte(s.Database), Query: []byte(query),
	})
	c := &oracleCheck{target: s.Target, limit: s.NegotiateTimeout, query: query, question: string(question)}
	c.timeout = c.limit + killDelay // the program may run longer than the connection lasts
	c.argv = []string{oracle.Program}
	c.latest, c.children = c.timeout+subprocess.Patience+killDelay, e.Children
	return c, err
}

// Check implements Checker.
func (c *oracleCheck) Check(ctx context.Context) Result {
	return c.bounded(ctx, func() Result {
		path, err := subprocess.FindOwn(c.argv[0])
		if err != nil {
			return unable(oracle.Program + " is not installed")
		}
		relay := &oracleRelay{ctx: ctx, target: c.target, limit: c.limit}
		defer relay.end()
		if err := relay.begin(); err != nil {
			return failed(err)
		}
		output, complaint := &subprocess.Output{Max: maxOutput}, &subprocess.Output{Max: maxOutput}
		err = subprocess.Run(ctx, subprocess.Command{
			Argv: []string{path}, Env: []string{"GOTRACEBACK=single"}, Stdin: c.question,
			Files: relay.inherited, Limit: c.timeout, Stdout: output, Stderr: complaint,
		})
		relay.end()
		switch {
		case relay.failed != nil:
			return failed(relay.failed)
		case err == nil:
			return c.conclude(relay, output.Text)
		}
		if crash, is := strings.CutPrefix(string(complaint.Text), "panic: "); is {
			return crashed(crash)
		}
		return unable(oracle.Program + ": " + c.judge(ctx, complaint.Text, err).Detail)
	})
}

// Conceals always returns true, because only the password protects the session keys that both sides send.
func (*oracleCheck) Conceals(bool, string) bool { return true }

// conclude returns the result for the program's answer. Without a connection the answer proves nothing about the
// server.
func (c *oracleCheck) conclude(relay *oracleRelay, output []byte) Result {
	var answer oracle.Answer
	if json.Unmarshal(output, &answer) != nil || !answer.Outcome.IsKnown() || relay.server == nil {
		return unable(oracle.Program + " gave no usable answer: " + wire.Excerpt(output))
	}
	seen, err := new(dialogue).sqlSeen(c.query, answer.Rows, nil, relay.fault(&answer))
	return concluded(seen, err)
}

// unable returns the result of a check that this machine can't make.
func unable(why string) Result {
	return Result{Cause: checker.Shortage, Stage: wire.AtAnswer, Detail: why}
}

// crashed returns the result for a panic in ldirectord-oracle, with the text and place of the panic.
func crashed(complaint string) Result {
	what, _, _ := strings.Cut(complaint, "\n")
	_, place, _ := strings.Cut(complaint, "\n\t")
	place, _, _ = strings.Cut(place, " +0x")
	return checker.Panicked(oracle.Program, what, wire.Escape(place, 4*wire.MaxExcerpt))
}
