package protocol

import (
	"testing"

	"ldirectord/checker"
	"ldirectord/internal/testkit"
)

// A check that always fails, because a required setting is missing, is reported as such before it is made. Other
// checks are not.
func TestChecksThatCanOnlyFail(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/checker/idle.txt", 2) {
		var s Spec
		apply(t, &s, row[0])
		got := ""
		if err := checker.Idle(testkit.Must(New(s, &Env{}))(t, row[0])); err != nil {
			got = err.Error()
		}
		testkit.Equal(t, got, row[1], row[0])
	}
}
