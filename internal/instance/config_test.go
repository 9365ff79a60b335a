package instance

import (
	"os"
	"path/filepath"
	"testing"

	"ldirectord/internal/testkit"
)

// A configuration is searched in the folders, and then taken as a path.
func TestFindingTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	first, second, here := filepath.Join(dir, "first"), filepath.Join(dir, "second"), filepath.Join(dir, "here")
	testkit.OK(t, os.MkdirAll(filepath.Join(first, "a.cf"), 0o700)) // a folder is not a configuration
	inSecond, inHere, unnamed := file(t, filepath.Join(second, "a.cf")), file(t, filepath.Join(here, "b.cf")),
		file(t, filepath.Join(first, "ldirectord.cf"))
	t.Chdir(here)
	dirs := ConfigDirs{first, second}
	for name, want := range map[string]string{"a.cf": inSecond, "b.cf": inHere, inHere: inHere, "": unnamed,
		"./a.cf": file(t, filepath.Join(here, "a.cf"))} {
		testkit.Equal(t, testkit.Must(dirs.Find(name))(t, name), want, name)
	}
	testkit.Equal(t, testkit.Must(dirs.FindNamed("./a.cf"))(t), inSecond, "./a.cf in execute=")
	_, err := dirs.FindNamed("b.cf")
	testkit.FailsWith(t, err, "b.cf not found", "in execute=")
	_, err = (ConfigDirs{here}).FindNamed("")
	testkit.Equal(t, err.(Missing).Looked(),
		"looked for "+here+"/ldirectord.cf, /ldirectord.cf; see ldirectord --help files")
	for name, want := range map[string]string{
		"c.cf":     "looked for " + first + "/c.cf, " + second + "/c.cf, " + here + "/c.cf",
		"/no/c.cf": "looked for /no/c.cf",
	} {
		want += "; see ldirectord --help files"
		got, err := dirs.Find(name)
		if m, is := err.(Missing); !is || m.Looked() != want || m.Error() != "Config file "+name+" not found" {
			t.Errorf("%q: %s, %v, want %s", name, got, err, want)
		}
	}
	testkit.Same(t, (ConfigDirs{first, here}).Paths("x"), []string{first + "/x", here + "/x"},
		"in one of the folders")
	testkit.Same(t, dirs.Paths(""), []string{unnamed, second + "/ldirectord.cf", here + "/ldirectord.cf"})
}
