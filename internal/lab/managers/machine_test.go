package managers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/testkit"
	"ldirectord/ipvsctl"
)

const (
	commandTime = time.Minute      // for a command on a machine
	bootTime    = 30 * time.Second // for a machine to come up
	memoryRoot  = "/mnt"           // a tmpfs that the lab's machines share
)

// machine is a computer of the lab: a network, a disk, processes and a host name of its own.
type machine struct {
	t     *testing.T
	name  string // its host name and network namespace
	pid   string // of its first process
	alive bool
}

// newMachine starts one in a network namespace that exists; it ends with the test. The program under test
// is its /usr/sbin/ldirectord.
func newMachine(t *testing.T, name string, program string) *machine {
	t.Helper()
	memory := filepath.Join(memoryRoot, name)
	sh(t, "mkdir -p %[1]s; rm -f %[1]s.ready", memory)
	first := exec.Command("ip", "netns", "exec", name,
		"unshare", "-m", "--propagation", "private", "-u", "-i", "-p", "-f", "--mount-proc",
		lab("node"), name, memory)
	var said bytes.Buffer
	first.Stdout, first.Stderr = &said, &said
	testkit.OK(t, first.Start())
	t.Cleanup(func() { // with its first process, all others end
		exec.Command("pkill", "-KILL", "-P", fmt.Sprint(first.Process.Pid)).Run()
		first.Wait()
	})
	await(t, bootTime, "machine "+name, func() bool { return exists(memory + ".ready") })
	m := &machine{t: t, name: name, pid: strings.TrimSpace(sh(t, "pgrep -P %d", first.Process.Pid)), alive: true}
	m.install(program)
	return m
}

// install puts a program in the place of ldirectord.
func (m *machine) install(program string) {
	m.t.Helper()
	binary := testkit.Read(m.t, program)
	m.sh("rm -f /usr/sbin/ldirectord")
	m.put("/usr/sbin/ldirectord", binary)
	m.sh("chmod 755 /usr/sbin/ldirectord")
}

// command is a command on the machine; it is killed when ctx is done.
func (m *machine) command(ctx context.Context, argv ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter",
		append([]string{"-t", m.pid, "-m", "-u", "-i", "-n", "-p", "--"}, argv...)...)
}

// run runs a command and returns what it said and its exit status.
func (m *machine) run(argv ...string) (said string, status int) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := m.command(ctx, argv...)
	cmd.WaitDelay = time.Second // a daemon that it leaves may hold its output
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) && !errors.Is(err, exec.ErrWaitDelay) {
		m.t.Fatalf("%s: %v: %v", m.name, argv, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// sh runs a script that has to succeed.
func (m *machine) sh(format string, args ...any) string {
	m.t.Helper()
	script := fmt.Sprintf(format, args...)
	said, status := m.run("sh", "-ec", script)
	if status != 0 {
		m.t.Fatalf("%s: %s: exit status %d: %s", m.name, script, status, said)
	}
	return said
}

// put writes a file.
func (m *machine) put(path, text string) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := m.command(ctx, "sh", "-ec", fmt.Sprintf("mkdir -p %s; cat >%s", filepath.Dir(path), path))
	cmd.Stdin = strings.NewReader(text)
	testkit.Run(m.t, cmd)
}

// table is the kernel's table on the machine, in the form of ipvsadm -Sn.
func (m *machine) table() string {
	m.t.Helper()
	var text string
	inside(m.t, m.name, func() {
		kernel, err := ipvsctl.Open(ipvsctl.Kernel)
		if err != nil {
			m.t.Error(err)
			return
		}
		defer kernel.Close()
		table, err := kernel.Read(context.Background())
		if err != nil {
			m.t.Error(err)
			return
		}
		text = lvs.Format(table)
	})
	return text
}

// holds reports whether a shell condition holds on the machine.
func (m *machine) holds(condition string) bool {
	m.t.Helper()
	_, status := m.run("sh", "-c", condition)
	return status == 0
}

// die ends everything on the machine at once and takes it off the network.
func (m *machine) die() {
	m.t.Helper()
	sh(m.t, "ip link set p-%s down", m.name)
	m.run("sh", "-c", "kill -9 -1")
	m.alive = false
}

// revive puts it back on the network, as after a boot: the memory of a running system is gone.
func (m *machine) revive() {
	m.t.Helper()
	m.sh(`ip addr flush dev eth0 scope global; ip addr add %s/24 dev eth0; ipvsadm -C
		ipvsadm --stop-daemon master 2>/dev/null || :; ipvsadm --stop-daemon backup 2>/dev/null || :
		find /run -mindepth 1 -maxdepth 1 ! -name netns -exec rm -rf {} +
		mkdir -p /run/lock`, addresses[m.name])
	sh(m.t, "ip link set p-%s up", m.name)
	m.alive = true
}

// startByHand starts a director that no manager knows, so that the table is in place. What the manager
// moves beside the address is another one, second.cf, to make it the same work.
func (m *machine) startByHand() {
	m.t.Helper()
	m.sh("ldirectord ldirectord.cf start")
}

// stepBack gives the CPU to the other machine when both want it: the lab has one for both. What a director does that
// gives up must not delay the one that takes over.
func (m *machine) stepBack() {
	m.t.Helper()
	m.sh("renice -n 19 -p $(pgrep .) >/dev/null 2>&1 || :") // some have ended by then
}

// reset ends everything on it and boots it.
func (m *machine) reset() {
	m.t.Helper()
	m.die()
	m.revive()
}

// lab is the path of a file of the lab.
func lab(name string) string {
	path, err := filepath.Abs(filepath.Join("../../../testdata/lab", name))
	if err != nil {
		panic(err)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// sh runs a script outside the machines that has to succeed.
func sh(t *testing.T, format string, args ...any) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	return testkit.Run(t, exec.CommandContext(ctx, "sh", "-ec", fmt.Sprintf(format, args...)))
}

// await waits until something is so.
func await(t *testing.T, limit time.Duration, what string, so func() bool) {
	t.Helper()
	testkit.Until(t, limit, so, "no", what)
}
