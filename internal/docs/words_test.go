package docs

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

// word is one line of testdata/words.
type word struct {
	pattern *regexp.Regexp
	instead string
	allowed *regexp.Regexp // nil if no use is right
}

// raced is set under the race detector, with which regular expressions take twenty times as long. The test has one
// goroutine, so it is skipped there.
var raced bool

// TestPlainWords searches all texts of the tree for words that are not used here.
func TestPlainWords(t *testing.T) {
	if raced {
		t.Skip("nothing runs side by side: without the race detector")
	}
	words, quoted := readWords(t)
	var all []string
	for _, w := range words {
		all = append(all, w.pattern.String())
	}
	anyWord := regexp.MustCompile(strings.Join(all, "|")) // searching for each word by itself takes much longer
	eachText(t, func(path string, text []byte) {
		for _, l := range quoted {
			if path == l || strings.HasPrefix(path, l+"/") {
				return
			}
		}
		number := 0
		for line := range strings.Lines(string(text)) {
			number++
			if !anyWord.MatchString(line) {
				continue
			}
			for _, w := range words {
				testkit.Equal(t, w.find(line), "", path, number, "write", w.instead)
			}
		}
	})
}

// A pattern that matches nothing would make TestPlainWords worthless.
func TestWordsAreFound(t *testing.T) {
	words, _ := readWords(t)
	finds := func(line string) bool {
		for _, w := range words {
			if w.find(line) != "" {
				return true
			}
		}
		return false
	}
	for _, line := range []string{"what comes behind it", "// the keeper of", "const longestName = 3",
		"a server is not well", "on behind a router and behind it"} {
		if !finds(line) {
			t.Errorf("no word is found in %q", line)
		}
	}
	for _, line := range []string{"three servers behind a router", "it stands by", "const maxName = 3",
		"at most Three"} {
		if finds(line) {
			t.Errorf("a word is found in %q", line)
		}
	}
}

func readWords(t *testing.T) (words []word, quoted []string) {
	t.Helper()
	text := testkit.Read(t, "../../testdata/words")
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if path, ok := strings.CutPrefix(line, "quotes "); ok {
			quoted = append(quoted, path)
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) < 2 {
			t.Fatalf("testdata/words: not a word and what to write instead: %q", line)
		}
		w := word{pattern: regexp.MustCompile("(?i)" + fields[0]), instead: fields[1]}
		if len(fields) == 3 {
			w.allowed = regexp.MustCompile("(?i)" + fields[2])
		}
		words = append(words, w)
	}
	return words, quoted
}

func (w word) find(line string) string {
	if w.allowed != nil {
		line = w.allowed.ReplaceAllString(line, "")
	}
	return w.pattern.FindString(line)
}

// eachText calls f for every text file of the tree, by its path from the top.
func eachText(t *testing.T, f func(path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == ".git" || name == "build" {
				return fs.SkipDir
			}
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			return err
		}
		rel, err := filepath.Rel("../..", path)
		if err != nil {
			return err
		}
		f(filepath.ToSlash(rel), text)
		return nil
	})
	testkit.OK(t, err)
}
