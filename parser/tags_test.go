package parser

import (
	"fmt"
	"strings"
	"testing"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
)

// Tags are at the end of a line, in any order with comeback=order. Elsewhere the Perl ldirectord swallows them.
func TestTags(t *testing.T) {
	const section = "virtual=192.0.2.1:80\n\tchecktype=on\n\treal=192.0.2.2:80 gate"
	for line, want := range map[string]struct {
		tags     lvs.Tags
		comeback lvs.Comeback
		problem  string
	}{
		" tags=b,a":                               {"a,b", false, ""},
		" 5 l:1 u:9 tags=a comeback=order":        {"a", lvs.ByOrder, ""},
		" 5 comeback=order tags=a":                {"a", lvs.ByOrder, ""},
		" 5 \"r\", \"x tags=no\" tags=a":          {"a", false, ""},
		" 5 \"r\", \"x tags=no\"":                 {"", false, ""},
		" tags=a tags=b,a":                        {"a,b", false, ""},
		" tags=a 5":                               {"", false, "warning: \"tags=a\" is ignored; write it last"},
		" tags=":                                  {"", false, "error: \"\" is not a tag; it must be letters"},
		" tags=a/b":                               {"", false, "error: \"a/b\" is not a tag"},
		" tags=a,":                                {"", false, "error: \"\" is not a tag"},
		" tags=" + strings.Repeat("x", 65):        {"", false, "is not a tag"},
		" tags=1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h": {"", false, "error: there are more than 16 tags"},
	} {
		cfg, found := parseText(t, section+line+"\n")
		got := strings.Trim(fmt.Sprint(found), "[]")
		if want.problem == "" && got != "" || !strings.Contains(got, want.problem) {
			t.Errorf("%s: %s, want %q", line, got, want.problem)
			continue
		}
		if found.HasErrors() {
			continue
		}
		if real := cfg.Virtuals[0].Reals[0]; real.Tags != want.tags || real.Comeback != want.comeback {
			t.Errorf("%s: %+v", line, real)
		}
	}
}

// Servers of a list have the tags of their label and those of the line.
func TestTagsOfALists(t *testing.T) {
	list := testkit.Must(ReadList([]byte(`[{"targets": ["192.0.2.2:80"], "labels": {"tags": "b,a"}}]`)))(t)
	o := Options{Lists: map[string]List{"/l": {Servers: list}}}
	cfg, _ := parse(t.Context(), "a.cf", []byte(
		"virtual=192.0.2.1:80\n\tchecktype=on\n\trealfile=/l gate tags=c\n"), o)
	testkit.Equal(t, cfg.Virtuals[0].Reals[0].Tags, "a,b,c")
	if _, err := ReadList([]byte(`[{"targets": ["192.0.2.2:80"], "labels": {"tags": "a b"}}]`)); err == nil {
		t.Error("a tag with a blank is accepted")
	}
}
