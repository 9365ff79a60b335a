package judge

import (
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

func TestPartsOfAWeight(t *testing.T) {
	for _, row := range testkit.Table(t, "../../testdata/judge/parts.txt", 3) {
		all := Part{1, 1}
		for part := range strings.FieldsSeq(row[1]) {
			of, whole, _ := strings.Cut(part, "/")
			all = all.times(Part{uint64(number(of)), uint64(number(whole))})
		}
		testkit.Equal(t, int(all.roundedUp(uint32(number(row[0])))), number(row[2]), row[0], "times", row[1])
	}
}
