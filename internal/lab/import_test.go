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

// aboutTable matches the lines of a section that decide what the kernel's table has while all servers are up.
var aboutTable = regexp.MustCompile(
	`^(virtual6?|\s+(real6?|fallback6?|protocol|scheduler|schedflags|ops|persistent|netmask|pename|quiescent)) = `)

// otherwise matches what makes another table on purpose: servers that begin as failed, a fallback that is always in the
// table, a protocol that ldirectord does not have, and files that are not here.
var otherwise = regexp.MustCompile(`(?ms)^\s*(alpha|sorry_server_inhibit|certificate|key)\b[^\n]*|BFD_CHECK \{.*?\}|` +
	`^virtual_server \S+ 5061 \{.*?^\}`)

// unchecked is a configuration in which all servers are up.
func unchecked(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !aboutTable.MatchString(line) {
			continue
		}
		kept.WriteString(line)
		if strings.HasPrefix(line, "virtual") {
			kept.WriteString("\tchecktype = on\n")
		}
	}
	return kept.String()
}

// What ldirectord-import writes makes the table that keepalived makes of the same file, while all servers are up.
func TestKernelImport(t *testing.T) {
	if _, err := exec.LookPath("keepalived"); err != nil {
		t.Skip("needs keepalived")
	}
	folder := t.TempDir()
	testkit.OK(t, os.CopyFS(folder, os.DirFS("../../cmd/ldirectord-import/testdata")))
	examples, _ := filepath.Glob(folder + "/*.conf")
	if len(examples) != 10 {
		t.Fatalf("%d examples", len(examples))
	}
	l := newLab(t)
	// nobody answers
	l.sh("ip -n %[1]sdir route add default dev br0; ip -n %[1]sdir -6 route add default dev br0", l.prefix)
	for _, example := range examples {
		name := strings.TrimSuffix(example, ".conf")
		t.Run(filepath.Base(name), func(t *testing.T) {
			given, _ := os.ReadFile(example)
			_ = os.WriteFile(example, otherwise.ReplaceAll(given, nil), 0o600)
			written, _ := os.ReadFile(name + ".cf")
			want := l.tableOf(unchecked(string(written)))
			got := ""
			for range 5 { // keepalived removes servers as soon as their checks fail
				if got = l.keepalivedTable(example, want); got == want {
					return
				}
			}
			t.Errorf("keepalived has\n%s\nldirectord has\n%s", got, want)
		})
	}
}

// tableOf is the table that the program makes of a configuration.
func (l *lab) tableOf(config string) string {
	l.config(config)
	l.does("start")
	defer l.does("stop")
	l.until(10*time.Second, "-A ")
	return l.table()
}

// keepalivedTable starts keepalived, and returns its table as soon as that is as wanted, or else three seconds after it
// had its first entry.
func (l *lab) keepalivedTable(path, want string) (got string) {
	l.t.Helper()
	pid := func(name string) string { return filepath.Join(l.dir, name) }
	cmd := exec.Command("ip", "netns", "exec", l.prefix+"dir", "keepalived", "--check", "--dont-fork", "--use-file",
		path,
		"--config-id", "d1", "--pid", pid("keepalived"), "--checkers_pid", pid("checkers"))
	testkit.OK(l.t, cmd.Start())
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}()
	began := time.Now()
	for empty := began; got != want && time.Since(empty) < 3*time.Second &&
		time.Since(began) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		if got = l.table(); got == "" {
			empty = time.Now()
		}
	}
	return got
}
