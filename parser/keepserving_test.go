package parser

import (
	"strconv"
	"testing"

	"ldirectord/internal/testkit"
)

func TestKeepServing(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/parser/keepserving.txt", 4) {
		src := "virtual=1\n\treal=192.0.2.1 gate\n"
		if row[1] != "" {
			src += "\tkeepserving=" + row[1] + "\n"
		}
		if row[0] != "none" {
			src = "keepserving = " + row[0] + "\n" + src
		}
		servers := testkit.Must(strconv.Atoi(row[2]))(t)
		testkit.Equal(t, strconv.Itoa(mustParse(t, src).Virtuals[0].KeepServing.Of(servers)), row[3], row)
	}
}
