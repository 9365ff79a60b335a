package checker

import (
	"context"
	"fmt"
)

// nntp is greeted by a news server (RFC 3977, 5.1); that it is, is enough.
type nntp struct{}

func newNNTP(s Spec, e *Env) (Checker, error) { return newLineCheck(s, e, nntp{}) }

func (nntp) run(_ context.Context, d *dialogue) (string, error) {
	greeting, err := d.reply("NNTP", "the greeting")
	if err != nil {
		return "", err
	}
	defer d.quit("QUIT")
	if !greeting.good() {
		return "", fmt.Errorf("greeting: %s", d.show(greeting.text))
	}
	return d.show(greeting.text), nil
}
