package director

import (
	"slices"

	"ldirectord/internal/lvs"
)

// claimer are the claims of a director without others. It is called with the virtual services that may be in the
// table.
type claimer func([]lvs.Key)

func (c claimer) Take(keys, left []lvs.Key) (theirs, beside map[lvs.Key]string) {
	c(slices.Concat(keys, left))
	return nil, nil
}

func (c claimer) Changed() <-chan struct{} { return nil }

const minUnanswered = 20 // as in judge
