package lab

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// nightRow is a row of docs/night.md.
type nightRow struct {
	trouble string
	command []string // arguments of the program, without CONFIG
	prints  []string
}

// isIn reports whether an output has all the words. A long reason may span several lines.
func (r nightRow) isIn(out string) bool {
	said := strings.Join(strings.Fields(out), " ")
	return !slices.ContainsFunc(r.prints, func(words string) bool { return !strings.Contains(said, words) })
}

func nightRows(t *testing.T) (rows []nightRow) {
	t.Helper()
	text := testkit.Read(t, "../../docs/night.md")
	row := regexp.MustCompile("(?m)^\\| ([^|]+) \\| `([^`]+)` \\| ([^|]+) \\| [^|]+ \\|$")
	for _, m := range row.FindAllStringSubmatch(text, -1) {
		r := nightRow{trouble: m[1], command: strings.Fields(m[2])}
		for _, words := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[3], -1) {
			r.prints = append(r.prints, words[1])
		}
		rows = append(rows, r)
	}
	return rows
}

// Each row of the page has its test, even where there is no lab: a script of testdata/night, or a file of elsewhere.txt
// that has its words.
func TestNightRowsArePlayed(t *testing.T) {
	scripts := ""
	for _, file := range testkit.Files(t, "testdata/night/*.txtar") {
		scripts += testkit.Read(t, file)
	}
	elsewhere := map[string]string{}
	for line := range strings.Lines(testkit.Read(t, "testdata/night/elsewhere.txt")) {
		file, trouble, _ := strings.Cut(strings.TrimSpace(line), "\t")
		elsewhere[trouble] = file
	}
	rows := nightRows(t)
	testkit.Equal(t, len(rows), strings.Count(scripts, "\ntonight ")+len(elsewhere), "rows that are played")
	for _, r := range rows {
		played := strings.Contains(scripts, "\ntonight '"+strings.ReplaceAll(r.trouble, "'", "''")+"'")
		file := elsewhere[r.trouble]
		if played == (file != "") || len(r.prints) == 0 {
			t.Errorf("%s: in the lab: %v, elsewhere: %q", r.trouble, played, file)
		}
		if file == "" {
			continue
		}
		text := testkit.Read(t, file)
		for _, words := range r.prints {
			testkit.Contains(t, text, words, r.trouble, file)
		}
	}
}

// The command of each row of docs/night.md prints what the row says.
func TestKernelLongNight(t *testing.T) {
	onlyLong(t)
	newNetwork(t, 2).play("night/*")
}

// night starts a daemon with two healthy servers.
func (s *scene) night() {
	s.webs["rs1"], s.webs["rs2"] = s.webOn("rs1", "80", "443"), s.web("rs2")
	text := testkit.Read(s.t, "testdata/night/night.cf")
	testkit.Write(s.t, s.dir+"/night.cf", text)
	s.config(text)
	s.does("start")
	s.until(20*time.Second, entry("rs1")+" -m -w 1", entry("rs2")+" -m -w 1")
}

// tonight waits until the command of a row prints what the row says.
func (s *scene) tonight(trouble, config string) {
	rows := nightRows(s.t)
	r := rows[slices.IndexFunc(rows, func(r nightRow) bool { return r.trouble == trouble })]
	said := func() string {
		out, _ := s.command(append([]string{filepath.Join(s.dir, config)}, r.command...)...).CombinedOutput()
		return string(out)
	}
	s.await(30*time.Second, func() bool { return r.isIn(said()) }, r.command, "does not print", r.prints, said)
}
