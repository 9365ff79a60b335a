package testkit

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files that hold what is expected")

// Update reports whether tests write what is expected, instead of comparing it.
func Update() bool { return *update }

// Golden compares a text with a file. With -update it writes the file.
func Golden(t testing.TB, file, got string) {
	t.Helper()
	if *update {
		OK(t, os.WriteFile(file, []byte(got), 0o644))
	} else if why := FirstDifference(got, Read(t, file)); why != "" {
		t.Errorf("%s has changed (write it with -update if it is better now): %s", file, why)
	}
}

// Part compares the part of a file between the texts begin and end with what it should be. If end is "", the part
// extends to the end of the file. With -update it writes that part.
func Part(t testing.TB, file, begin, want, end string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if begin != "" {
		OK(t, err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	has, after, ended := strings.Cut(rest, end)
	if end == "" {
		has, after = rest, ""
	}
	switch {
	case !found || !ended:
		t.Fatalf("%s has no part that begins with %q", file, begin)
	case has == want:
	case *update:
		OK(t, os.WriteFile(file, []byte(before+begin+want+end+after), 0o644))
	default:
		t.Errorf("%s has not what it should have after %q (write it with make generate): %s",
			file, begin, FirstDifference(has, want))
	}
}
