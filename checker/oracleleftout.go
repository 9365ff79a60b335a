//go:build nooracle

package checker

import "errors"

// hasOracle reports whether this build can check Oracle.
const hasOracle = false

// newOracle refuses: the driver is half of the program, and was left out.
func newOracle(Spec, *Env) (Checker, error) {
	return nil, &SpecError{"service", errors.New("oracle is left out of this build (build tag nooracle)")}
}
