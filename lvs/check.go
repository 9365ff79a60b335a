package lvs

import (
	"fmt"
	"strings"
)

// HTTPStatuses are statuses of HTTP and ranges of them, as the configuration has them but without blanks: 200,300-399.
// All have three digits.
type HTTPStatuses string

// Has reports whether a status is among them.
func (list HTTPStatuses) Has(status int) bool {
	if list == "" {
		return false
	}
	text := fmt.Sprintf("%03d", status)
	for item := range strings.SplitSeq(string(list), ",") {
		first, last, isRange := strings.Cut(item, "-")
		if text == first || isRange && first < text && text <= last {
			return true
		}
	}
	return false
}

// Step is one line of a dialogue: what to send, or what to expect.
type Step struct {
	Send    bool   // else expect
	Text    string // the bytes to send, or a Perl regular expression to expect, which the check judges
	Written string // Text as the configuration has it
}
