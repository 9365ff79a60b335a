package protocol

import (
	"context"
	"time"

	"ldirectord/checker/perlre"
	"ldirectord/checker/wire"
)

// maxHeard limits the received data that no expect line has matched yet, in bytes.
const maxHeard = 16 << 10

// simpleSteps has a conversation with a server, step by step. With protocol=udp each send line is a datagram.
type simpleSteps struct {
	server
	secured
	udp   bool
	steps []simpleStep
}

// simpleStep is one send or expect line.
type simpleStep struct {
	send   string
	expect *matcher // nil: send
	inLine *matcher // expect, for text that begins in the middle of a line
}

func newSimpleSteps(s Spec, e *Env) (Checker, error) {
	c := &simpleSteps{server: serverOf(s), udp: s.Protocol == "udp"}
	var err error
	if c.secured, err = e.secured(s); err != nil {
		return nil, err
	}
	for step := range s.Steps.All() {
		made := simpleStep{send: step.Text}
		if !step.Send {
			if made.expect, made.inLine, err = e.expected(step.Text); err != nil {
				return nil, err
			}
		}
		c.steps = append(c.steps, made)
	}
	return c, nil
}

// expected returns the matchers of an expect line: one for text that begins a line, and one for text that begins in the
// middle of a line. As with receive, ^ and $ match at each line.
func (e *Env) expected(pattern string) (m, inLine *matcher, err error) {
	if _, err := perlre.Compile(pattern); err != nil {
		return nil, nil, refused("expect", err)
	}
	first, err := e.matcher("expect", "(?m)"+pattern)
	if err != nil {
		return nil, nil, err
	}
	rest, err := e.inLine.Get(pattern, func() (*perlre.Regexp, error) {
		return perlre.CompileInLine("(?m)" + pattern)
	})
	if err != nil {
		return nil, nil, refused("expect", err)
	}
	return &matcher{pattern, first.re, first.limits}, &matcher{pattern, rest, first.limits}, nil
}

// Check implements Checker.
func (c *simpleSteps) Check(ctx context.Context) Result {
	dial := wire.Connect
	if c.udp {
		dial = wire.DialUDP
	}
	server, err := dial(ctx, c.target, c.timeout)
	if err != nil {
		return failed(err)
	}
	defer server.Close()
	if err := server.OpenTLS(c.tls); err != nil {
		return failed(err)
	}
	h := session{server: server, buf: make([]byte, maxHeard), search: search{ctx: ctx, on: server}}
	result := h.follow(c.steps)
	result.Warning = c.rules.Warning(server)
	return result
}

// session is the state of a conversation with a server.
type session struct {
	server   *wire.Conn
	buf      []byte
	received []byte // received, and not matched yet
	inLine   bool   // received begins in the middle of a line
	matched  []byte // the last match
	searched int    // searched bytes; repeated searches count again
	search   search // all searches of the check
}

// Limits on repeated searches while a server sends more data. Once maxSearched bytes have been searched, the check
// gathers data for up to gatherTime before each search.
const (
	maxSearched = 64 * maxHeard
	gatherTime  = 100 * time.Millisecond
)

func (h *session) follow(steps []simpleStep) Result {
	for i, step := range steps {
		if err := h.take(step); err != nil {
			return failed(wire.NewFault(err, "step %d: %v", i+1, err))
		}
	}
	return passed(h.seen())
}

func (h *session) take(step simpleStep) error {
	if step.expect != nil {
		return h.expect(step)
	}
	if _, err := h.server.Write([]byte(step.send)); err != nil {
		return wire.StageFault("sending", err)
	}
	return nil
}

// expect reads until the expected text has arrived. The next expectation applies to the text after it.
func (h *session) expect(step simpleStep) error {
	h.search.matcher = step.expect
	if h.inLine {
		h.search.matcher = step.inLine
	}
	for {
		if found, err := h.find(); err != nil || found {
			return err
		}
		if len(h.received) >= maxHeard {
			return mismatch("no match for %s in %d bytes: got %s", step.expect.String(), maxHeard,
				wire.Excerpt(h.received))
		}
		if err := h.read(); err != nil {
			err = wire.AwaitFault(step.expect.String(), false, err)
			if len(h.received) > 0 {
				err = wire.NewFault(err, "%v: got %s", err, wire.Excerpt(h.received))
			}
			return err
		}
		if err := h.gather(); err != nil {
			return err
		}
	}
}

// find looks for a match in the received data, and removes the data up to the end of the match. Empty data has no
// match.
func (h *session) find() (found bool, err error) {
	if len(h.received) == 0 {
		return false, nil
	}
	h.searched += len(h.received)
	at, err := h.search.find(h.received)
	if at == nil {
		return false, err
	}
	end := at[1]
	if end > 0 { // if nothing is left, new data counts as the start of a line, for protocols without lines
		h.inLine = end < len(h.received) && h.received[end-1] != '\n'
	}
	h.matched, h.received = h.received[at[0]:end:end], h.received[end:]
	return true, nil
}

// gather reads for a while from a server that sends little at a time, so that not every byte causes a search. It
// ignores a read error, because the next read returns it again.
func (h *session) gather() error {
	if h.searched < maxSearched {
		return nil
	}
	end := time.Now().Add(gatherTime)
	if end.After(h.server.Deadline) {
		end = h.server.Deadline
	}
	if err := h.server.Until(end); err != nil {
		return err
	}
	for len(h.received) < maxHeard && h.read() == nil {
	}
	return h.server.Until(h.server.Deadline)
}

func (h *session) read() error {
	n, err := h.server.Read(h.buf[:maxHeard-len(h.received)])
	h.received = append(h.received, h.buf[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

// seen returns the text that shows that the server is healthy.
func (h *session) seen() string {
	if h.matched == nil {
		return "all sent"
	}
	return "got " + wire.Excerpt(h.matched)
}
