package parser

import (
	"strconv"
	"strings"
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
	for _, value := range []string{"101%", "-1", "half", "50 %", "1.5", "%", "2/4", "4294967296"} {
		_, found := parseText(t, "\nkeepserving="+value+"\n")
		if len(found) != 1 || found[0].Pos.Line != 2 ||
			!strings.Contains(found[0].Text,
				"it must be a number of servers, such as 2, or a percentage from 0% to 100%, such as "+
					"50%") {
			t.Errorf("%s: %v", value, found)
		}
	}
}
