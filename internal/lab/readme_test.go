package lab

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/testkit"
)

// TestKernelReadmeLeadsToABalancerThatServes follows the steps of README's Install after the package, word for word,
// on a director, three real servers and a client. Only the service manager is a substitute.
func TestKernelReadmeLeadsToABalancerThatServes(t *testing.T) {
	l := newNetwork(t, 3)
	l.sh("ip -n %sdir addr del %s/32 dev br0", l.prefix, drVIP) // the steps add it
	for i := range 3 {
		l.page(fmt.Sprintf("rs%d", i+1), "database: ok")
	}
	l.page("dir", "fallback")

	var director, server strings.Builder
	for _, line := range readmeSteps(t) {
		switch {
		case strings.Contains(line, "# on each real server"):
			server.WriteString(line + "\n")
		case !strings.HasPrefix(line, "make ") && !strings.HasPrefix(line, "curl "):
			director.WriteString(strings.ReplaceAll(line, "eth0", "br0") + "\n")
		}
	}
	t.Cleanup(func() { l.asRoot("dir", "", "ldirectord stop") })
	parts := strings.SplitAfter(director.String(), "realserver.sh\n")
	if len(parts) != 2 || server.Len() == 0 {
		t.Fatalf("README's steps have another form:\n%s%s", director.String(), server.String())
	}
	l.asRoot("dir", "", parts[0])
	for i := range 3 {
		l.asRoot(fmt.Sprintf("rs%d", i+1), fmt.Sprintf("export RUNDIR=%s/rs%d\n", l.dir, i+1), server.String())
	}
	said := l.asRoot("dir", "", parts[1])
	if !strings.Contains(said, "192.0.2.10") || strings.Contains(said, "broken:") {
		t.Errorf("check, doctor, start and status say\n%s", said)
	}
	l.until(20*time.Second, "-r 192.0.2.21:80 -g -w 10", "-r 192.0.2.22:80 -g -w 10", "-r 192.0.2.23:80 -g -w 5")
	for range 4 {
		testkit.Equal(t, l.ask(drVIP), "database:", "the client got the answer")
	}
}

// readmeSteps are the command lines of README's Install, without sudo.
func readmeSteps(t *testing.T) (lines []string) {
	t.Helper()
	text := testkit.Read(t, "../../README.md")
	_, install, _ := strings.Cut(text, "\n## Install\n")
	install, _, _ = strings.Cut(install, "\n## ")
	for _, m := range regexp.MustCompile(`(?m)^ {7}(.+)$`).FindAllStringSubmatch(install, -1) {
		lines = append(lines, strings.ReplaceAll(m[1], "sudo ", ""))
	}
	return lines
}

// asRoot runs a script in a namespace with its own /etc, with the program on the search path, and in a folder with the
// examples.
func (l *lab) asRoot(ns, before, script string) string {
	l.t.Helper()
	// not every file system can hold an overlay's upper layer
	etc, bin := filepath.Join("/dev/shm", l.prefix+ns), filepath.Join(l.dir, "bin")
	for _, dir := range []string{etc + "/upper/ha.d", etc + "/work", bin} {
		testkit.OK(l.t, os.MkdirAll(dir, 0o755))
	}
	examples := testkit.Must(filepath.Abs("../../examples"))(l.t)
	_ = os.Symlink(program(l.t), bin+"/ldirectord")
	_ = os.Symlink(examples, filepath.Join(l.dir, "examples"))
	script = fmt.Sprintf(`mount -t overlay overlay -o lowerdir=/etc,upperdir=%[1]s/upper,workdir=%[1]s/work /etc
		PATH=%[2]s:$PATH
		systemctl() { ldirectord "$1"; }
		cd %[5]s
		%[3]s
		%[4]s`, etc, bin, before, script, l.dir)
	return testkit.Run(l.t, exec.Command("ip", "netns", "exec", l.prefix+ns, "sh", "-exc", script))
}

// page answers every request with a text.
func (l *lab) page(ns, text string) {
	l.t.Helper()
	server := &http.Server{Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })}
	go server.Serve(l.listen(ns, ":80"))
	l.t.Cleanup(func() { server.Close() })
}
