package parser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// Each value that is shown is right.
func TestJSONOfValues(t *testing.T) {
	rows := testkit.Table(t, "../testdata/parser/json.txt", 4)
	for _, row := range append(rows, []string{"virtual=192.0.2.1:53; comment=caf\xe9", "virtual", "comment",
		"café"}) {
		src := rowOf(row[0])
		all := asJSON(t, mustParse(t, src))
		parts := []any{all["global"]}
		if row[1] != "global" {
			parts = all["virtuals"].([]any)
		}
		if row[1] == "reals" {
			parts = parts[0].(object)["reals"].([]any)
		}
		var got []string
		for _, part := range parts {
			for name := range strings.FieldsSeq(row[2]) {
				got = append(got, fmt.Sprint(part.(object)[name]))
			}
		}
		testkit.Equal(t, strings.TrimSpace(strings.Join(got, " ")), row[3], src, row[2])
	}
}

// Lines add their values, and nothing else. Those of some rows can be read again as they are shown.
func TestWhatLinesAddToJSON(t *testing.T) {
	for _, row := range testkit.Table(t, "../testdata/parser/adds.txt", 4) {
		shown := func(lines string) (object, string) {
			bare, got := firstVirtual(t, rowOf(row[0])), firstVirtual(t, rowOf(row[0]+"; "+lines))
			for name := range bare {
				delete(got, name)
			}
			text := testkit.Must(json.Marshal(got))(t)
			return got, string(text)
		}
		values, text := shown(row[1])
		testkit.Equal(t, text, row[2], row[0], row[1])
		var again []string
		for name, value := range values {
			list, isList := value.([]any)
			if !isList {
				list = []any{value}
			}
			for _, one := range list {
				again = append(again, fmt.Sprint(name, "=", one))
			}
		}
		if row[3] == "again" {
			_, text = shown(strings.Join(again, "; "))
			testkit.Equal(t, text, row[2], row[0], again)
		}
	}
}

func firstVirtual(t *testing.T, src string) object {
	t.Helper()
	return asJSON(t, mustParse(t, src))["virtuals"].([]any)[0].(object)
}

func TestAddressesOfAVirtualService(t *testing.T) {
	cfg := mustParse(t, "virtual=192.0.2.1:80\nvirtual=3\n\tmark=192.0.2.0/28 tcp 80\n\tmark=192.0.2.33 tcp 80\n"+
		"virtual=4\n")
	for i, want := range []string{"[192.0.2.1/32]", "[192.0.2.0/28 192.0.2.33/32]", "[]"} {
		testkit.Equal(t, fmt.Sprint(cfg.Virtuals[i].Addresses()), want, cfg.Virtuals[i].ID)
	}
}
