package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"ldirectord/internal/daemon"
	"ldirectord/internal/instance"
	"ldirectord/internal/runfile"
)

// Through descriptor readyFD, a daemon in the background reports to the process that started it. It writes lines for
// the operator, and finally daemon.ReadyLine. The variable readyEnv shows that the descriptor is open.
const (
	readyEnv = "LDIRECTORD_READY_FD"
	readyFD  = 3
)

// isInBackground reports whether this process was started to become the daemon in the background.
func isInBackground() bool { return os.Getenv(readyEnv) != "" }

// launch becomes the daemon, or starts one in the background and waits until it is ready.
func (c *call) launch() error {
	if why := daemon.TakenBack(c.path, c.Text); why != "" {
		c.avoid(why)
	}
	switch {
	case isInBackground():
		c.manager = &daemon.ServiceManager{} // a service manager waits for the process that started this one
		os.Unsetenv(readyEnv)
		syscall.CloseOnExec(readyFD)
		ready := os.NewFile(readyFD, "ready")
		c.stderr = ready
		err := daemon.Run(c.ctx, daemonOptions(c, "", ready))
		if errors.Is(err, instance.ErrRunning) {
			return nil // another start was faster
		}
		return err
	case c.staysInForeground():
		return daemon.Run(c.ctx, daemonOptions(c, supervisor(c), nil))
	}
	ended, err := spawn(c)
	return cmp.Or(runfile.While("starting the daemon", err), ended)
}

// avoid starts with the last good configuration instead of a file that was taken back after a trial (reload --confirm).
// If that configuration can't be used either, the daemon starts with the file after all.
func (c *call) avoid(why string) {
	err := c.takeLastGood()
	if err == nil {
		c.warn("%s was taken back, and only the command reload uses it again: %s", c.path, why)
		return
	}
	c.Anyway = fmt.Sprintf("%s; %v", why, err)
	c.warn("the daemon starts with %s, although it was taken back: %s", c.path, c.Anyway)
}

func daemonOptions(c *call, by instance.Supervisor, ready io.WriteCloser) daemon.Options {
	l := c.Loaded
	c.Loaded = nil // the daemon keeps it only while it is in force
	return daemon.Options{
		Instance: c.instance(), Table: c.table, Supervisor: by, Config: c.source(), Loaded: l,
		Manager: c.manager, Via: c.via, Hangups: c.hangups, Args: c.own(),
		Name: c.instanceName(), Version: version, Debug: c.Debug, JSONLog: c.LogFormat == "json",
		PidFile: ready != nil || c.Foreground, Ready: ready, Stderr: c.stderr,
	}
}

// spawn starts this program again, as the daemon in its own session, and waits until it is ready. Cluster managers find
// the daemon by its command line, `ldirectord [OPTIONS] [CONFIG] start`. If the daemon exits before it is ready, ended
// is its error.
func spawn(c *call) (ended, err error) {
	cmd, err := ownProcess(daemonArgs(c), readyEnv+"=3")
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if c.LastGood {
		cmd.Env = append(cmd.Env, lastGoodEnv+"=1")
	}
	cmd.ExtraFiles = []*os.File{w}
	closeOnExec()
	err = cmd.Start()
	w.Close()
	if err != nil {
		return nil, err
	}
	if awaitReady(c, r) {
		return nil, cmd.Process.Release()
	}
	return statusOf(cmd.Wait()), nil
}

// closeOnExec keeps the daemon from inheriting files that this process has inherited. So a lock of the script that
// called this command ends with the script. This works on any kernel; close_range(2) can do it since Linux 5.11.
func closeOnExec() {
	open, _ := os.ReadDir("/proc/self/fd") // without /proc, no daemon can start
	for _, f := range open {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd >= readyFD {
			syscall.CloseOnExec(fd)
		}
	}
}

// ownProcess prepares another process of this program, with a session of its own and one more environment variable.
func ownProcess(args []string, variable string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Args, cmd.Env = args, append(os.Environ(), variable)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, nil
}

// awaitReady prints the daemon's lines and reports whether the daemon became ready.
func awaitReady(c *call, r io.Reader) bool {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if lines.Text() == daemon.ReadyLine {
			return true
		}
		c.say("%s", lines.Text())
	}
	return false
}

// statusOf turns the error of a child of this program into our own exit status. The child has printed the reason.
func statusOf(err error) error {
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit{status: max(failed.ExitCode(), exitFailure)}
	}
	return err
}

// daemonArgs returns the command line of the daemon: the path where this program was found, our own options, and then
// exactly `[CONFIG] start`.
func daemonArgs(c *call) []string {
	name := c.argv[0]
	if path, err := exec.LookPath(name); err == nil {
		name = path
	}
	args := append([]string{name}, c.own()...)
	if c.config != "" {
		args = append(args, c.config)
	}
	return append(args, "start")
}
