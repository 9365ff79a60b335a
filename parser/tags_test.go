package parser

import (
	"testing"

	"ldirectord/internal/testkit"
)

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
