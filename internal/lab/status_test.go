package lab

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/status"
	"ldirectord/internal/testkit"
)

// The report has the kernel's connections, even for a member of statusgroup, which may not read them.
func TestKernelStatusShowsConnections(t *testing.T) {
	l := newLab(t)
	for _, ns := range []string{"rs1", "rs2"} {
		l.echo(ns, ":7000")
	}
	for dir := l.dir; dir != os.TempDir(); dir = filepath.Dir(dir) { // other users must get to the socket
		testkit.OK(t, os.Chmod(dir, 0o755))
	}
	path := l.config(`checkinterval = 1
statusgroup = daemon
virtual = 198.51.100.10:7000
        real = 192.0.2.21:7000 masq
        real = 192.0.2.22:7000 masq
        scheduler = rr
        checktype = connect
`)
	l.does(path, "start")
	defer l.does(path, "stop")
	l.until(time.Second, "-r 192.0.2.21:7000 -m -w 1", "-r 192.0.2.22:7000 -m -w 1")
	held := l.dialThrough("192.0.2.21:7000")
	defer held.Close()

	as := func(group string, verb ...string) *exec.Cmd {
		words := []string{"netns", "exec", l.prefix + "dir", "setpriv", "--reuid=65534", "--regid=" + group,
			"--clear-groups", program(t), "--rundir", l.dir, path}
		return exec.Command("ip", append(words, verb...)...)
	}
	ask := func(group string) (string, error) {
		cmd := as(group, "status", "--json")
		var out bytes.Buffer
		cmd.Stdout = &out
		err := cmd.Run()
		return out.String(), err
	}
	text, err := ask("daemon")
	if err != nil {
		t.Fatal(err)
	}
	report, err := status.ReadReport([]byte(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	one, two := report.Virtuals[0].Servers[0], report.Virtuals[0].Servers[1]
	if one.Connections == nil || one.Connections.Active != 1 || two.Connections == nil ||
		two.Connections.Active != 0 {
		t.Errorf("connections %+v and %+v, want one and none active", one.Connections, two.Connections)
	}
	if !report.Virtuals[0].Written || one.TableWeight == nil || *one.TableWeight != 1 {
		t.Errorf("not written, or without weight 1: %+v", report.Virtuals[0])
	}
	if said, err := as("daemon", "drain", "192.0.2.21").CombinedOutput(); err == nil ||
		!strings.Contains(string(said), "orders are taken from root") {
		t.Errorf("the answer to an order of a member of the group is %s, %v", said, err)
	}
	text, err = ask("nogroup")
	unknown, ended := errors.AsType[*exec.ExitError](err)
	if !ended || unknown.ExitCode() != 4 || !strings.Contains(text, "members of statusgroup may ask") {
		t.Errorf("another user gets the answer %s, %v", text, err)
	}
}
