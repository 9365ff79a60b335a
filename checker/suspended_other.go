//go:build !linux

package checker

import "time"

// suspended is not known.
func suspended() time.Duration { return 0 }
