package checker

import (
	"fmt"

	"ldirectord/checker/wire"
)

// mismatch is an answer that receive does not match.
func mismatch(format string, args ...any) error { return wire.AtMatch.Of(fmt.Errorf(format, args...)) }

// passed is the result of a successful check.
func passed(detail string) Result { return Result{OK: true, Stage: wire.AtMatch, Detail: detail} }

// concluded is passed, or the result of a check with an error.
func concluded(seen string, err error) Result {
	if err != nil {
		return Failed(err)
	}
	return passed(seen)
}
