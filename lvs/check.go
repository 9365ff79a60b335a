package lvs

import "fmt"

// StatusRange is a range of statuses of HTTP, both ends included, from 100 to 599.
type StatusRange struct{ First, Last int }

// String is the range as the configuration has it: 200, or 300-399.
func (r StatusRange) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// Has reports whether a status is in the range.
func (r StatusRange) Has(status int) bool { return r.First <= status && status <= r.Last }

// Step is one line of a dialogue: what to send, or what to expect.
type Step struct {
	Send    bool   // else expect
	Text    string // the bytes to send, or a Perl regular expression to expect, which the check judges
	Written string // Text as the configuration has it
}
