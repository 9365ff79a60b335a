package checker

import "context"

// nntp is greeted by a news server (RFC 3977, 5.1); that it is, is enough.
func nntp(_ context.Context, d *dialogue) (string, error) {
	defer d.Quit("QUIT")
	return d.Greeting("NNTP")
}
