package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// readyEnv carries, to the daemon in the background, the descriptor on which it tells its starter how
// the start goes: lines for the operator, and at last readyLine.
const (
	readyEnv  = "LDIRECTORD_READY_FD"
	readyLine = "ready"
)

// supervised tells whether the configuration asks for the foreground.
func (a *app) supervised() bool { return a.loaded.config.Global.Supervised }

// foreground tells whether this process becomes the daemon.
func (a *app) foreground() bool { return a.debug || a.supervised() || a.stay }

// isDaemon tells whether this process is to be the daemon in the background.
func (a *app) isDaemon() bool { return os.Getenv(readyEnv) != "" }

// launch becomes the daemon, or starts one in the background and waits until it is ready.
func (a *app) launch(ctx context.Context) int {
	if a.foreground() {
		return a.serve(ctx, nil)
	}
	a.manager = serviceManager{} // it waits for this process, which ends now
	if fd, err := strconv.Atoi(os.Getenv(readyEnv)); err == nil {
		os.Unsetenv(readyEnv)
		syscall.CloseOnExec(fd)
		a.stderr = os.NewFile(uintptr(fd), "ready")
		return a.serve(ctx, a.stderr.(*os.File))
	}
	code, err := a.spawn(ctx)
	if err != nil {
		fmt.Fprintf(a.stderr, "ldirectord: starting the daemon: %v\n", err)
		return exitFailure
	}
	return code
}

// spawn starts this program again in a session of its own, as `ldirectord [OPTIONS] [CONFIG] start`,
// the command line by which cluster managers find the daemon.
func (a *app) spawn(ctx context.Context) (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	cmd := exec.Command(self)
	cmd.Args = a.daemonArgs()
	cmd.Env = append(os.Environ(), readyEnv+"=3")
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		w.Close()
		return 0, err
	}
	w.Close()
	if a.awaitReady(r) {
		return exitOK, cmd.Process.Release()
	}
	var failed *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &failed) {
		return max(failed.ExitCode(), exitFailure), nil
	} else if err != nil {
		return 0, err
	}
	return exitOK, nil
}

// awaitReady shows what the daemon has to say and tells whether it became ready.
func (a *app) awaitReady(r io.Reader) bool {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if lines.Text() == readyLine {
			return true
		}
		fmt.Fprintln(a.stderr, lines.Text())
	}
	return false
}

// daemonArgs is the command line of the daemon: the path by which the program was found, our own
// options in front, and then exactly `[CONFIG] start`.
func (a *app) daemonArgs() []string {
	name := a.argv[0]
	if path, err := exec.LookPath(name); err == nil {
		name = path
	}
	args := append([]string{name}, a.ownOptions()...)
	if a.config != "" {
		args = append(args, a.config)
	}
	return append(args, "start")
}

// ownOptions are the options of this call that other calls for the same machine need too.
func (a *app) ownOptions() (args []string) {
	for _, o := range [][3]string{
		{"--ipvs", a.ipvs, defaultIPVS}, {"--log-format", a.logFormat, defaultLogFormat}, {"--rundir", a.runDir, defaultRunDir},
	} {
		if option, value, standard := o[0], o[1], o[2]; value != standard {
			args = append(args, option, value)
		}
	}
	return args
}
