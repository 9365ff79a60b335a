package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

const head = "package x\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nvar _ = os.Args\n\n"

func source(name, body string) string {
	return "func Test" + name + "(t *testing.T) { " + body + " }\n"
}

// fails is a test that fails on its first run.
func fails(name, says string) string {
	body := `if os.Mkdir("` + name + `", 0o755) == nil { t.Error("` + says + `") }`
	return "func " + name + "(t *testing.T) { " + body + " }\n"
}

// Results of a run in CI. Each case is a small package of its own.
func TestWhatIsPlayedAgain(t *testing.T) {
	if _, err := exec.LookPath(goCommand()); err != nil {
		t.Skip("there is no go command here")
	}
	sources := map[string]string{
		"good":    source("Good", ""),
		"bad":     source("Bad", "t.Error()"),
		"panics":  source("P", "panic(1)"),
		"locked":  source("D", "select {}"),
		"exits":   source("G", "os.Exit(3)"),
		"unbuilt": source("X", "nothing()"),
		"hangs":   source("H", "r, _, _ := os.Pipe(); r.Read(make([]byte, 1))"),
		"skips":   source("S", `if os.Mkdir("s", 0o755) != nil { t.Skip() }; t.Error()`),
		"sub":     source("S", `t.Run("a", testF)`),
		"parts":   source("S", `t.Run("lost", testF); t.Run("b", func(t *testing.T) { t.Log("1 failed") })`),
		"main":    "func TestMain(m *testing.M) { m.Run(); os.Exit(1) }\n",
		"heading": fails("TestF", "| fault | requests | failed |"),
		"guest": `func TestMain(m *testing.M) { m.Run(); println("uml-run: the kernel"); os.Exit(125) }` +
			"\n",
	}
	for _, row := range testkit.Table(t, "testdata/tests.txt", 4) {
		text, flaky := head, ""
		for part := range strings.SplitSeq(row[1], "; ") {
			if source, known := sources[part]; known {
				text += source
				continue
			}
			name, says, _ := strings.Cut(part, ": ")
			text += fails(name, says)
		}
		for note := range strings.SplitSeq(row[2], ", ") {
			flaky += strings.TrimPrefix(note+"\n", "\n")
		}
		t.Run(row[0], func(t *testing.T) {
			t.Parallel()
			p, said := newPlayer(t)
			testkit.Write(t, filepath.Join(p.dir, "go.mod"), "module x\n")
			testkit.Write(t, filepath.Join(p.dir, "x_test.go"), text)
			file := filepath.Join(p.dir, "x.json")
			tool := goCommand() + ` test -json "$@" >x.json`
			err := p.tests(file, []string{"sh", "-c", tool, "--", "-timeout=5s", "./..."})
			check(t, p, said, err, row[3], flaky)
			if flaky != "" {
				testkit.Read(t, filepath.Join(p.dir, "x.again-1.json"))
			}
		})
	}
}

func TestAScriptIsPlayedAgain(t *testing.T) {
	for name, c := range map[string]struct{ script, flaky, says string }{
		"good":            {script: "true"},
		"flaky":           {script: "mkdir seen || exit 0; exit 1", flaky: "sh -c "},
		"bad":             {script: "exit 3", says: "exit status 3, and again: sh: exit status 3"},
		"a client":        {script: "echo 'FAIL a client notices nothing'; exit 1", says: "not played again"},
		"an ended kernel": {script: "echo 'uml-run: no end within 600 s'; exit 125", says: "not played again"},
		"late":            {script: "mkdir seen && exit 1; sleep 60", says: "and again"},
	} {
		t.Run(name, func(t *testing.T) {
			p, said := newPlayer(t)
			if name == "late" {
				p.until = time.Now().Add(200 * time.Millisecond)
			}
			err := p.script(filepath.Join(p.dir, "s.log"), []string{"sh", "-c", c.script})
			check(t, p, said, err, c.says, c.flaky)
		})
	}
}

func newPlayer(t *testing.T) (player, *bytes.Buffer) {
	dir := t.TempDir()
	said := new(bytes.Buffer)
	return player{flaky: filepath.Join(dir, "flaky"), until: time.Now().Add(time.Minute), out: said, dir: dir}, said
}

func check(t *testing.T, p player, said *bytes.Buffer, err error, want, flaky string) {
	t.Helper()
	testkit.OKOr(t, err, want, said)
	noted, _ := os.ReadFile(p.flaky)
	if flaky == "" && len(noted) > 0 || !strings.HasPrefix(string(noted), flaky) {
		t.Errorf("noted is %q, want %q\n%s", noted, flaky, said)
	}
}

// The last line of make test names the tests that failed.
func TestSumNamesWhatFailed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "unit-test")
	write := func(file string, events ...string) {
		t.Helper()
		var text strings.Builder
		for _, e := range events { // ACTION PACKAGE TEST
			f := strings.Fields(e + " ")
			test := ""
			if len(f) > 2 {
				test = `,"Test":"` + f[2] + `"`
			}
			text.WriteString(`{"Time":"2026-11-24T20:00:00Z","Action":"` + f[0] + `","Package":"` + f[1] +
				`"` + test + "}\n")
		}
		testkit.Write(t, file, text.String())
	}
	write(name+".json", "pass a/b TestOne", "fail a/b TestTwo/case", "fail a/b TestTwo", "fail a/c TestThree",
		"skip a/c TestFour",
		"fail a/b", "fail a/c", "fail a/d")
	write(name+".again-1.json", "pass a/c TestThree", "pass a/c")
	const want = "2 passed, 2 failed (a/b TestTwo), 1 skipped; packages that did not end well: a/d; " +
		"unit-test-other did not run\n"
	testkit.Equal(t, testkit.Run(t, exec.Command("../../testdata/sum", name, name+"-other")), want)
}
