package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// typed is one command of docs/tutorial.md, and what it prints.
type typed struct{ machine, command, output string }

// TestKernelTutorial runs the commands of docs/tutorial.md, and compares what they print.
func TestKernelTutorial(t *testing.T) {
	needsIPVS(t)
	for _, tool := range []string{"curl", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the tutorial needs %s", tool)
		}
	}
	dir := filepath.Join(t.TempDir(), "tutorial")
	bin := t.TempDir()
	testkit.OK(t, os.Symlink(program(t), filepath.Join(bin, "ldirectord")))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	steps := tutorial(t, dir)
	if len(steps) < 20 {
		t.Fatalf("the tutorial has only %d commands", len(steps))
	}
	t.Cleanup(func() { // what a failed test leaves
		typed{"director", "ldirectord web.cf stop", ""}.run(dir)
		typed{"", "sh network.sh stop", ""}.run(dir)
	})
	for _, step := range steps {
		switch {
		case strings.HasPrefix(step.command, "cp "):
			step.play(t, "../..")
		case step.command == "sudo -s", step.command == "exit", strings.HasPrefix(step.command, "cd "),
			strings.HasSuffix(step.command, " bash"):
		default:
			step.play(t, dir)
		}
	}
}

// tutorial returns the commands in their order, with dir instead of /tmp/tutorial.
func tutorial(t *testing.T, dir string) (steps []typed) {
	t.Helper()
	text := testkit.Read(t, "../../docs/tutorial.md")
	page := strings.ReplaceAll(text, "/tmp/tutorial", dir)
	prompt := regexp.MustCompile(`^(director|client)?[#$] (.*)\n`)
	for _, block := range regexp.MustCompile("(?s)\n```\n(.*?)```").FindAllStringSubmatch(page, -1) {
		first := len(steps)
		for line := range strings.Lines(block[1]) {
			if m := prompt.FindStringSubmatch(line); m != nil {
				steps = append(steps, typed{machine: m[1], command: m[2]})
			} else if len(steps) > first {
				steps[len(steps)-1].output += line
			}
		}
	}
	return steps
}

// play runs the command, repeatedly until it prints what the page shows.
func (c typed) play(t *testing.T, dir string) {
	t.Helper()
	want := steady(c.output)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		out, err := c.run(dir)
		if c.output == "" && err != nil {
			t.Fatalf("%s: %v\n%s", c.command, err, out)
		}
		if steady(out) == want {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%s prints\n%sthe tutorial has\n%s", c.command, out, c.output)
			return
		}
	}
}

func (c typed) run(dir string) (string, error) {
	shell := exec.Command("bash", "-c", c.command)
	if c.machine != "" {
		shell = exec.Command("ip", "netns", "exec", c.machine, "bash", "-c", c.command)
	}
	shell.Dir = dir
	out, err := shell.CombinedOutput()
	return string(out), err
}

var (
	logPrefix = regexp.MustCompile(`\[[^]|]*\|web.cf\|\d+\]|(pid:|Error) \[?\d+\]?|(version) [^,]+`)
	elapsed   = regexp.MustCompile(`\b(\d+(\.\d+)?(ns|µs|ms|s|m|h))+\b`)
	blanks    = regexp.MustCompile(` +`)
)

// steady is a text without times, process ids and the version. The error of a check that was under way when its server
// ended is replaced.
func steady(text string) string {
	text = strings.ReplaceAll(text, "connection reset in the header", "connect: refused")
	text = logPrefix.ReplaceAllString(text, "$1$2 -")
	return strings.ReplaceAll(blanks.ReplaceAllString(elapsed.ReplaceAllString(text, "-"), " "), " \n", "\n")
}
