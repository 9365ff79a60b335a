// Command ldirectord watches the real servers of Linux Virtual Server and keeps the kernel's table up to date. It
// replaces the Perl daemon of that name, with the same configuration file and the same command line.
//
// Checks must work with old servers too: SHA-1 signatures in TLS, negative serial numbers, short and very long RSA
// keys.
//
//go:debug tlssha1=1
//go:debug x509negativeserial=1
//go:debug rsa1024min=0
//go:debug tlsmaxrsasize=16384
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"

	"ldirectord/checker/icmp"
	"ldirectord/internal/daemon"
	"ldirectord/internal/instance"
	"ldirectord/internal/printable"
	"ldirectord/internal/runfile"
)

// The exit statuses of the Perl ldirectord, and those that only this program has.
const (
	exitOK      = 0
	exitFailure = 1   // also: status with a stale pid file, reload without a daemon
	exitConfig  = 2   // the configuration is refused
	exitStopped = 3   // status: no daemon
	exitUnknown = 4   // status: the daemon is running, but what was asked for can't be shown
	exitChanges = 4   // plan with --exit-code: something would change; --each: too few servers, now or after a loss
	exitLate    = 4   // wait: not in time
	exitUsage   = 255 // usage error
)

// Exit statuses of status --of.
const (
	exitDiffer    = 5
	exitUnreached = 6
)

// exitForegroundConfig (EX_CONFIG of sysexits.h) replaces exitConfig if --foreground is given. A crashed Go program
// also exits with 2, and a service manager must be able to tell the two apart.
const exitForegroundConfig = 78

// The linker sets these; date is the date of the commit.
var version, commit, date = "unknown", "unknown", "unknown"

// configDirs are the folders that are searched for the configuration, as in the Perl ldirectord.
var configDirs = instance.ConfigDirs{"/etc/ha.d", "/etc/ha.d/conf"}

func main() {
	os.Exit(runCommand(context.Background(), os.Args, os.Stdout, os.Stderr, configDirs))
}

// call is one run of the program.
type call struct {
	options
	output
	*daemon.Loaded                 // nil until the configuration is read
	ctx            context.Context // done when the command must end
	argv           []string
	env            *daemon.Environment
	manager        *daemon.ServiceManager
	via            daemon.Via
	hangups        chan os.Signal // each SIGHUP, for the daemon that this process may become
}

// exit is an error with an exit status of its own. If err is nil, everything has already been printed.
type exit struct {
	status int
	err    error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

// misused returns the error for a wrong command line.
func misused(format string, args ...any) error { return exit{exitUsage, fmt.Errorf(format, args...)} }

// runCommand runs the command that argv names, prints its error, and returns the exit status.
func runCommand(ctx context.Context, argv []string, stdout, stderr io.Writer, dirs instance.ConfigDirs) int {
	log.SetOutput(io.Discard) // libraries use it, and we don't
	c := &call{options: options{dirs: dirs}, ctx: ctx, argv: argv, via: daemon.PassedOn()}
	raw := bufio.NewWriter(stdout)
	c.output = output{out: printable.Writer{To: raw}, raw: raw, stdout: stdout, stderr: stderr}
	err := c.run()
	if lost := c.out.Flush(); lost != nil && err == nil && !errors.Is(lost, unix.EPIPE) {
		err = fmt.Errorf("writing the answer: %w", lost)
	}
	return c.complain(err)
}

func (c *call) run() error {
	err := c.parse(c.argv[1:])
	if err != nil || c.command.is("perls") {
		// The commands of the Perl ldirectord and of cluster managers act, and a usage error has its exit
		// status, even if nobody reads the output. SIGPIPE is caught rather than ignored, because children
		// would inherit an ignored signal.
		signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	}
	if err != nil {
		c.warn("%v", err)
		io.WriteString(c.stderr, "\n"+usageOf(c.verb))
		return exit{status: exitUsage}
	}
	switch {
	case c.Help:
		if err := showHelp(c.out, c.topic); err != nil {
			return exit{exitUsage, err}
		}
		return nil
	case c.Version:
		c.tell("Linux Director Daemon (ldirectord) %s", version)
		c.tell("commit %s of %s, %s %s/%s", commit, date, runtime.Version(), runtime.GOOS,
			runtime.GOARCH)
		return nil
	}
	if c.JSON && !c.command.is("own-json") {
		c.answer = map[string]any{"error": nil}
	}
	err = c.act()
	if c.answer != nil {
		c.conclude(err)
	}
	return err
}

// act finds the configuration and runs the command.
func (c *call) act() error {
	// so that this process's user can open the files that it creates
	unix.Umask(unix.Umask(0o077) &^ 0o700)
	if err := c.find(); err != nil && len(c.Of) == 0 { // --of needs no file
		c.say("%v", err)
		if missing, is := errors.AsType[instance.Missing](err); is {
			c.warn("%s", missing.Looked())
		}
		if c.answer != nil {
			c.answer["error"] = err.Error()
		}
		return exit{status: exitFailure}
	}
	c.chooseRunDir()
	daemon.StartLean()
	c.manager = daemon.NewServiceManager()
	c.env = daemon.NewEnvironment(icmp.NewPinger())
	defer c.env.Close()
	defer c.table.Close()
	if uid := os.Geteuid(); !c.command.is("perls") && uid != 0 {
		c.env.User = instance.UserName(uid)
	}
	return c.command.run(c)
}

// find finds the configuration. A request to a running daemon needs only the name of the file. The file itself may be
// missing, or may have moved to another of the searched folders.
func (c *call) find() (err error) {
	if c.path, err = c.dirs.Find(c.config); c.command.is("by-file") || err == nil && c.runsFor(c.path) {
		return err
	}
	for _, path := range c.dirs.Paths(c.config) {
		if (err != nil || !runfile.Exists(path)) && c.runsFor(path) {
			c.path = path
			return nil
		}
	}
	return err
}

// runsFor reports whether a daemon is running for a configuration.
func (c *call) runsFor(path string) bool {
	o := c.options
	o.path = path
	o.chooseRunDir()
	return o.found().Pid != 0
}
