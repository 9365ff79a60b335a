package checker

import "context"

// nntp is greeted by a news server (RFC 3977, 5.1); that it is, is enough.
type nntp struct{}

func newNNTP(s Spec, e *Env) (Checker, error) { return newTalk(s, e, nntp{}) }

func (nntp) run(_ context.Context, d *dialogue) (string, error) {
	defer d.quit("QUIT")
	return d.greeting("NNTP")
}
