package parser

import (
	"strings"
	"testing"
)

func TestKeepServing(t *testing.T) {
	for _, row := range []struct {
		global, section string
		servers, want   int
	}{
		{"", "", 4, 0},
		{"50%", "", 4, 2},
		{"50%", "", 3, 2},
		{"34%", "", 3, 2},
		{"33%", "", 3, 1},
		{"1%", "", 1000, 10},
		{"1%", "", 1, 1},
		{"50%", "", 0, 0},
		{"100%", "", 7, 7},
		{"100%", "2", 7, 2},
		{"100%", "0", 7, 0},
		{"2", "", 1, 2},
	} {
		src := "virtual=1\n\treal=192.0.2.1 gate\n"
		if row.section != "" {
			src += "\tkeepserving=" + row.section + "\n"
		}
		if row.global != "" {
			src = "keepserving = " + row.global + "\n" + src
		}
		if got := mustParse(t, src).Virtuals[0].KeepServing.Of(row.servers); got != row.want {
			t.Errorf("%q and %q of %d: %d, want %d", row.global, row.section, row.servers, got, row.want)
		}
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
