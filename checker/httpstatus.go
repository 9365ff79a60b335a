package checker

import (
	"fmt"
	"strings"
)

// statuses are those of an answer that are good.
type statuses List[StatusRange]

// anySuccess is what the Perl ldirectord wants.
var anySuccess = StatusRange{200, 299}

func (s statuses) good(status int) bool {
	if s == (statuses{}) {
		return anySuccess.has(status)
	}
	for r := range List[StatusRange](s).All() {
		if r.has(status) {
			return true
		}
	}
	return false
}

func (r StatusRange) has(status int) bool { return r.First <= status && status <= r.Last }

// String is the list as a message shows it, such as 200,300-399.
func (s statuses) String() string {
	if s == (statuses{}) {
		return "2xx"
	}
	var texts []string
	for r := range List[StatusRange](s).All() {
		text := fmt.Sprint(r.First)
		if r.Last != r.First {
			text = fmt.Sprintf("%d-%d", r.First, r.Last)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ",")
}
