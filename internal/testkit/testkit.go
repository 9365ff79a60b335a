// Package testkit is what the tests of several packages share. The program never imports it.
package testkit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// OK ends the test if there is an error. The words say what was being done.
func OK(t testing.TB, err error, words ...any) {
	t.Helper()
	if err != nil {
		t.Fatal(append(words, err)...)
	}
}

// Must is for a call that returns a value and an error: Must(os.Open(path))(t) is the file, or ends the test.
func Must[T any](value T, err error) func(t testing.TB, words ...any) T {
	return func(t testing.TB, words ...any) T {
		t.Helper()
		OK(t, err, words...)
		return value
	}
}

// Equal reports a value that is not the wanted one. The words say which value it is.
func Equal[T comparable](t testing.TB, got, want T, words ...any) {
	t.Helper()
	if got != want {
		t.Error(append(words, "got", quoted(got), "want", quoted(want))...)
	}
}

// Same is Equal for values that == doesn't compare. An empty slice or map is the same as none.
func Same(t testing.TB, got, want any, words ...any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) && !(isEmpty(got) && isEmpty(want)) {
		t.Error(append(words, "got", quoted(got), "want", quoted(want))...)
	}
}

func isEmpty(value any) bool {
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return false
}

// Contains reports a text that does not contain part. The words say which text it is.
func Contains(t testing.TB, text, part string, words ...any) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Error(append(words, quoted(part), "is not in", quoted(text))...)
	}
}

// quoted shows blanks and control characters in a line of text. A text of several lines begins on a line of its own.
func quoted(value any) string {
	switch v := value.(type) {
	case string:
		if strings.Contains(v, "\n") {
			return "\n" + v
		}
		return strconv.Quote(v)
	case []string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprintf("%+v", value)
}

// Read returns a file's content.
func Read(t testing.TB, path string) string {
	t.Helper()
	return string(Must(os.ReadFile(path))(t))
}

// Files returns the files that match a pattern, at least one.
func Files(t testing.TB, pattern string) []string {
	t.Helper()
	files := Must(filepath.Glob(pattern))(t)
	if len(files) == 0 {
		t.Fatal("no file matches", pattern)
	}
	return files
}

// Table reads a table of text: a row a line, its cells divided by " |". Blanks around a cell don't count, and cells at
// the end may be left out. Empty lines and those that begin with # are skipped.
func Table(t testing.TB, path string, columns int) (rows [][]string) {
	t.Helper()
	for line := range strings.Lines(Read(t, path)) {
		if line == "\n" || line[0] == '#' {
			continue
		}
		row := make([]string, columns)
		for i, cell := range strings.Split(strings.TrimSuffix(line, "\n"), " |") {
			if i == columns {
				t.Fatalf("%s: %q has more than %d cells", path, line, columns)
			}
			row[i] = strings.TrimSpace(cell)
		}
		rows = append(rows, row)
	}
	return rows
}

// Rows plays each row of a table: a test that has the name of the first cell.
func Rows(t *testing.T, path string, columns int, play func(t *testing.T, row []string)) {
	t.Helper()
	for _, row := range Table(t, path, columns) {
		t.Run(row[0], func(t *testing.T) { play(t, row) })
	}
}

// Stories is Rows with each test in a bubble of its own.
func Stories(t *testing.T, path string, columns int, play func(t *testing.T, row []string)) {
	t.Helper()
	Rows(t, path, columns, func(t *testing.T, row []string) {
		synctest.Test(t, func(t *testing.T) { play(t, row) })
	})
}

// Scenes plays each paragraph of a file: a test in a bubble of its own. Its first line has the test's name and further
// cells, divided by " | ". Each other line is a step: "STEP", or "STEP → WHAT IT SHOWS". Lines that begin with # don't
// count. The function begin returns the one that takes steps.
func Scenes(t *testing.T, path string, begin func(t *testing.T, cells []string) (take func(step string) any)) {
	t.Helper()
	for part := range strings.SplitSeq(Read(t, path), "\n\n") {
		steps := slices.DeleteFunc(strings.Split(strings.Trim(part, "\n"), "\n"),
			func(line string) bool { return line[0] == '#' })
		if len(steps) == 0 {
			continue
		}
		cells := strings.Split(steps[0], " | ")
		t.Run(cells[0], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				take := begin(t, cells)
				for _, step := range steps[1:] {
					step, want, isCompared := strings.Cut(step, " →")
					if got := fmt.Sprint(take(step)); isCompared {
						Equal(t, got, strings.TrimPrefix(want, " "), step)
					}
				}
			})
		})
	}
}

// Time is a time in the form of RFC 3339.
func Time(text string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return at
}

// Write makes a file that only this user may read.
func Write(t testing.TB, path, text string) {
	t.Helper()
	OK(t, os.WriteFile(path, []byte(text), 0o600))
}

// Script makes a program of a text.
func Script(t testing.TB, path, text string) {
	t.Helper()
	OK(t, os.WriteFile(path, []byte(text), 0o755))
}

// FirstDifference describes the first line in which two texts differ; it is empty if they are equal.
func FirstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(a), len(b)) {
		if x, y := lineAt(a, i), lineAt(b, i); x != y || len(a) != len(b) && i == min(len(a), len(b)) {
			return fmt.Sprintf("line %d\n got  %s\n want %s\nall of it:\n%s", i+1, x, y, got)
		}
	}
	return ""
}

func lineAt(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// Fails reports an error that does not have the wanted text.
func Fails(t testing.TB, err error, want string, words ...any) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Error(append(words, "got the error", err, "want", want)...)
	}
}

// Is reports an error that is not the wanted one, or does not wrap it.
func Is(t testing.TB, err, want error, words ...any) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Error(append(words, "got the error", err, "want", want)...)
	}
}

// FailsWith reports that there is no error, or an error whose text does not contain part.
func FailsWith(t testing.TB, err error, part string, words ...any) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Error(append(words, "got the error", err, "want", part)...)
	}
}

// OKOr reports any error if part is ""; otherwise it is FailsWith.
func OKOr(t testing.TB, err error, part string, words ...any) {
	t.Helper()
	if part == "" {
		Equal(t, err, nil, words...)
		return
	}
	FailsWith(t, err, part, words...)
}

// Error is the error of a call that returns a value and an error.
func Error[T any](_ T, err error) error { return err }

// ManyChecks is a section whose servers have every kind of check, one of them twice.
const ManyChecks = `virtual = 10.1.0.1:80
	real = 10.2.0.1:80 gate "own", "strings"
	real = 10.2.0.2:80 gate
	checktype = 2
	service = http
	checktimeout = 3
	negotiatetimeout = 4
	receive = "ok"
	passwd = "pw"
	alsocheck = connect 81
	alsocheck = https 443 "health" "^well"
	alsocheck = ping
	alsocheck = external
	alsocheck = pop 110
	alsocheck = connect 81
	tlsexpirywarn = 0
`

// ManyServers is a configuration of n servers on loopback, four in each virtual service.
func ManyServers(n, port, interval int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "checkinterval = %d\nnegotiatetimeout = 3\n", interval)
	for i := range n {
		if i%4 == 0 {
			fmt.Fprintf(&b, "virtual = 10.%d.%d.1:80\n\tservice = http\n\treceive = \"OK\"\n",
				i/4/250, i/4%250)
		}
		fmt.Fprintf(&b, "\treal = 127.1.%d.%d:%d masq\n", i/250, i%250+1, port)
	}
	return b.String()
}
