package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/parser"
)

// Which list is in force: that of the file, or in its place the one in force, or that of the last daemon, or none.
func TestWhichListIsInForce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "web")
	t.Setenv("STATE_DIRECTORY", filepath.Join(dir, "state"))
	listOf := func(words string) (list []parser.ListedReal) {
		for _, word := range strings.Fields(words) {
			list = append(list, parser.ListedReal{Target: word})
		}
		return list
	}
	for _, row := range []struct {
		what, saved, inForce string // "-": none
		file                 string
		guarded              bool
		want, trouble        string
	}{
		{"a new one", "-", "-", "a\nb\n", true, "a b", ""},
		{"a longer one", "-", "a", "a\nb\n", true, "a b", ""},
		{"half of it", "-", "a b c d", "a\nb\n", true, "a b", ""},
		{"less than half", "-", "a b c d", "a\n", true, "a b c d", "it has 1 of 4 servers left"},
		{"others of the same number", "-", "a b c d", "e\nf\ng\nh\n", true, "e f g h", ""},
		{"less than half at a start", "a b c d", "-", "a\n", true, "a b c d", "it has 1 of 4 servers left"},
		{"the virtual address", "-", "a", "a\n10.1.0.1:9\n", false, "a", "10.1.0.1:9 is the address of the virtual service itself"},
		{"less than half by a command", "-", "a b c d", "a\n", false, "a", ""},
		{"one of three", "-", "a b c", "a\n", true, "a", ""},
		{"an empty one", "a", "a b", "\n", false, "a b", "it has no server"},
		{"half a line", "a", "a b", "a\nb", false, "a b", "its last good list stays in force"},
		{"half a line at a start", "a", "-", "a\nb", false, "a", "its last good list stays in force"},
		{"half a line at the first start", "-", "-", "a\nb", false, "", "the section has none of its servers"},
	} {
		os.RemoveAll(filepath.Join(dir, "state"))
		if row.saved != "-" {
			if err := saveList(path, listOf(row.saved)); err != nil {
				t.Fatal(err)
			}
		}
		var inForce lists
		if row.inForce != "-" {
			inForce = lists{path: {Servers: listOf(row.inForce)}}
		}
		if err := os.WriteFile(path, []byte(row.file), 0o644); err != nil {
			t.Fatal(err)
		}
		got := Source{}.readLists([]byte("virtual = 10.1.0.1:80\n\trealfile = "+path+" gate\n"), inForce, func(string) bool { return row.guarded })[path]
		var names []string
		for _, one := range got.Servers {
			names = append(names, one.Target)
		}
		if strings.Join(names, " ") != row.want || !strings.Contains(got.Trouble, row.trouble) || row.trouble == "" && got.Trouble != "" {
			t.Errorf("%s: %v, %q; want %s, %q", row.what, names, got.Trouble, row.want, row.trouble)
		}
	}
}

// A list that was written is looked at when it has stayed the same from one look to the next, and one in trouble after
// shrinkwait.
func TestWhenAListIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web")
	w := newListWatch()
	w.inForce = lists{path: {}}
	w.seen[path], w.read[path] = stamp(path), stamp(path)
	for i, row := range []struct {
		write string // ""; nothing is written
		want  bool
	}{{"", false}, {"a\n", false}, {"a\nb\n", false}, {"", true}, {"", false}, {"c\n", false}, {"", true}} {
		if row.write != "" {
			if err := os.WriteFile(path, []byte(row.write), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.changed(time.Minute); got != row.want {
			t.Errorf("look %d: %t, want %t", i, got, row.want)
		}
	}
	for since, want := range map[time.Duration]bool{59 * time.Second: false, 61 * time.Second: true} {
		w.since[path] = time.Now().Add(-since)
		if got := w.changed(time.Minute); got != want {
			t.Errorf("in trouble for %v: %t, want %t", since, got, want)
		}
	}
}
