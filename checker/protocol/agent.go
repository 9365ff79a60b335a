package protocol

import (
	"bytes"
	"context"
	"fmt"

	"ldirectord/checker"
	"ldirectord/checker/wire"
	"ldirectord/internal/health"
)

// maxAgentLine is the maximum length of an agent's line, in bytes.
const maxAgentLine = 256

// agent asks a server's agent how much load the server can bear (HAProxy's agent-check). Only the words down, fail and
// stopped mean a failure. An agent that is silent or sends nothing usable proves nothing about the server.
type agent struct {
	server
	text []byte // sent first
}

// Check implements Checker.
func (c *agent) Check(ctx context.Context) Result {
	conn, err := c.dial(ctx)
	if err == nil {
		err = conn.Send("agentsend", c.text)
	}
	if err != nil {
		return mute(err)
	}
	return c.Resume(ctx, conn)
}

func (c *agent) Opening() (o Opening, ok bool) {
	o, ok = c.opening(c.text)
	o.Line = maxAgentLine
	return o, ok
}

func (c *agent) Resume(_ context.Context, conn *wire.Conn) Result {
	defer conn.Close()
	line := make([]byte, 0, maxAgentLine)
	for {
		n, err := conn.Read(line[len(line):cap(line)])
		line = line[:len(line)+n]
		end := bytes.IndexAny(line, "\r\n\x00")
		switch {
		case end >= 0 && line[end] == 0:
			return mute(fmt.Errorf("not a line of text: %s", wire.Excerpt(line)))
		case end >= 0:
			report, known := health.ReadAgent(string(line[:end]))
			if !known {
				return mute(fmt.Errorf("no known word in %s", wire.Excerpt(line[:end])))
			}
			return Result{OK: report.State != health.Down, Cause: checker.Answer, Stage: wire.AtMatch,
				Report: report, Detail: "reports " + wire.Excerpt(line[:end])}
		case len(line) == cap(line):
			return mute(fmt.Errorf("no end of line within %d bytes: %s", len(line),
				wire.Excerpt(line)))
		case err != nil:
			return mute(wire.ReadFault("the line", len(line) > 0, c.timeout, err))
		}
	}
}

// mute returns the result for an agent that is silent or sends nothing usable.
func mute(err error) Result {
	r := failed(err)
	r.Silence()
	return r
}
