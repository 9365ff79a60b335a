package wire

import (
	"fmt"
	"testing"

	"ldirectord/internal/testkit"
)

func TestReplyNumbers(t *testing.T) {
	for _, row := range testkit.Table(t, "testdata/replies.txt", 3) {
		code, more := parseReply(row[0][1 : len(row[0])-1])
		testkit.Equal(t, fmt.Sprint(code), row[1], row[0])
		testkit.Equal(t, more, row[2] == "more", row[0], "more lines follow")
	}
}
