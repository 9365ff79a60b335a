package checker

import (
	"fmt"
	"strconv"
	"strings"
)

// statuses are those of an answer that are good.
type statuses struct {
	text string // as a message shows them
	list []statusRange
}

type statusRange struct{ first, last int }

// anySuccess is what the reference wants.
var anySuccess = statuses{"2xx", []statusRange{{200, 299}}}

// parseStatuses reads a list such as 200,204,300-399; the empty one is any success.
func parseStatuses(text string) (statuses, error) {
	if text == "" {
		return anySuccess, nil
	}
	s := statuses{text: text}
	for item := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(item, "-")
		if !isRange {
			last = first
		}
		low, errLow := strconv.ParseUint(first, 10, 16)
		high, errHigh := strconv.ParseUint(last, 10, 16)
		if errLow != nil || errHigh != nil || low < 100 || high > 599 || low > high {
			return s, fmt.Errorf("%q is neither a status from 100 to 599 nor a range of them", item)
		}
		s.list = append(s.list, statusRange{int(low), int(high)})
	}
	return s, nil
}

func (s statuses) good(status int) bool {
	for _, r := range s.list {
		if r.first <= status && status <= r.last {
			return true
		}
	}
	return false
}
