package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

func TestNamesOfCopies(t *testing.T) {
	for names, want := range map[string]bool{
		"a.cf a rpm.cf a.rpm.cf a.dpkg-dist.cf a.swp.cf":                                    false,
		".a.cf a.cf~ .a.cf.swp a.swp a.cf.dpkg-new a.cf.dpkg-dist a.cf.rpmsave a.cf.rpmnew": true,
	} {
		for name := range strings.FieldsSeq(names) {
			testkit.Equal(t, copies.MatchString(name), want, name)
		}
	}
}

// Autoreload refuses from half of four services on, whatever the file itself has.
func TestVanishedParts(t *testing.T) {
	config := func(parts, own int) *parser.Config {
		c := &parser.Config{}
		for i := range parts {
			c.Virtuals = append(c.Virtuals, &parser.Virtual{ID: fmt.Sprint("part", i), Part: "a.cf"})
		}
		for i := range own {
			c.Virtuals = append(c.Virtuals, &parser.Virtual{ID: fmt.Sprint("own", i)})
		}
		return c
	}
	for _, row := range []struct {
		had, stay int
		refused   bool
	}{{4, 4, false}, {4, 3, false}, {4, 2, true}, {4, 0, true}, {3, 0, false}, {5, 3, false}, {5, 2, true},
		{0, 0, false}} {
		f := &configFile{d: &daemon{}, current: &Loaded{Config: config(row.had, 5)}}
		testkit.Equal(t, f.vanished(config(row.stay, 0)) != "", row.refused, row.stay, "of", row.had, "stay")
		emptied := config(0, 5)
		emptied.Parts = []string{"a.cf"}
		testkit.Equal(t, f.vanished(emptied) != "", row.had > 0, "the part of", row.had, "is there, and empty")
	}
}

// What can't be read is no missing file: the file itself is there.
func TestPartsThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	s := Source{Path: filepath.Join(dir, "ld.cf")}
	for name, row := range map[string]struct {
		make func(path string) error
		want string
	}{
		"a link that leads nowhere": {func(path string) error { return os.Symlink("nowhere", path) },
			"no such file"},
		"a link to a folder": {func(path string) error { return os.Symlink("/", path) },
			"is not a regular file"},
		"a forged part": {func(path string) error {
			return os.WriteFile(path, []byte("\x00"),
				0o600)
		}, "a line begins with a zero byte"},
	} {
		path := filepath.Join(dir, "a.part")
		testkit.OK(t, row.make(path))
		text, err := s.withParts([]byte("include=*.part\n"))
		got := fmt.Sprintf("%q %v", text, err)
		testkit.Contains(t, got, path, name)
		testkit.Contains(t, got, row.want, name)
		testkit.OK(t, os.Remove(path))
	}
}

// Every way in which a part changes is seen.
func TestPartStamps(t *testing.T) {
	dir := t.TempDir()
	s := Source{Path: filepath.Join(dir, "ld.cf")}
	write := func(name, text string) {
		testkit.Write(t, filepath.Join(dir, name), text)
	}
	last := s.partStamps([]string{"*.part"})
	for _, step := range []struct {
		name string
		do   func()
		same bool
	}{
		{"comes", func() { write("a.part", "1") }, false},
		{"stays", func() {}, true},
		{"another file", func() { write("b", "1") }, true},
		{"grows", func() { write("a.part", "12") }, false},
		{"exchanged", func() {
			write("b", "34")
			_ = os.Rename(filepath.Join(dir, "b"),
				filepath.Join(dir, "a.part"))
		}, false},
		{"goes", func() { _ = os.Remove(filepath.Join(dir, "a.part")) }, false},
	} {
		step.do()
		now := s.partStamps([]string{"*.part"})
		changed, want := differing(last, now), []string{filepath.Join(dir, "a.part")}
		if step.same {
			want = nil
		}
		testkit.Same(t, changed, want, step.name)
		last = now
	}
}

func TestTooManyParts(t *testing.T) {
	dir := t.TempDir()
	s := Source{Path: filepath.Join(dir, "ld.cf")}
	for i := range maxParts + 1 {
		testkit.Write(t, filepath.Join(dir, fmt.Sprint(i, ".part")), "")
	}
	testkit.FailsWith(t, testkit.Error(s.withParts([]byte("include=*.part\n"))), "more than 10000 parts")
	testkit.OK(t, os.Remove(filepath.Join(dir, "0.part")))
	testkit.OK(t, testkit.Error(s.withParts([]byte("include=*.part\ninclude=*.part\n"))))
}
