package health

import (
	"strconv"
	"testing"

	"ldirectord/internal/testkit"
)

// The words of an agent mean what they mean to HAProxy. TestRealHAProxyAgent of package checker compares with HAProxy
// itself.
func TestAnAgentsWords(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/agent.txt", 3) {
		line := testkit.Must(strconv.Unquote(row[0]))(t, row)
		got, known := ReadAgent(line)
		testkit.Equal(t, got, report(t, row[1]), row)
		testkit.Equal(t, known, row[2] == "", row, "known")
	}
}
