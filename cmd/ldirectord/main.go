// Command ldirectord watches the real servers of Linux Virtual Server and keeps the kernel's table
// true. It takes the place of the Perl daemon of that name: same file, same command line.
//
// Old servers must be answered too: SHA-1 signatures in TLS, odd serial numbers, short keys.
//
//go:debug tlssha1=1
//go:debug x509negativeserial=1
//go:debug rsa1024min=0
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
)

// Exit statuses of the reference.
const (
	exitOK      = 0
	exitFailure = 1   // also: a status that found a stale pid file, a reload without a daemon
	exitConfig  = 2   // the configuration is refused
	exitStopped = 3   // status: no daemon
	exitUsage   = 255 // not a command line
)

// exitKeptConfig stands for exitConfig in the foreground (EX_CONFIG of sysexits.h): a service manager must
// tell it from a crash, which Go ends with 2.
const exitKeptConfig = 78

// What was built, set by the linker; the date is that of the commit.
var version, commit, date = "unknown", "unknown", "unknown"

func main() {
	os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr))
}

// app is one call of the program.
type app struct {
	options
	argv   []string
	stdout io.Writer
	stderr io.Writer

	env     *environment   // of the checks
	manager serviceManager // who started us, if it wants to hear how we do
	loaded  *loaded        // the configuration, once it was found to be good
	patient bool           // servers may wait for the addresses of their names
	via     []string       // the files whose daemons passed this command on
}

// verbs are what the program can be told, each with what carries it out.
var verbs = map[string]func(*app, context.Context) int{
	"start":        (*app).start,
	"stop":         (*app).stop,
	"restart":      (*app).restart,
	"try-restart":  (*app).tryRestart,
	"reload":       (*app).reload,
	"force-reload": (*app).reload,
	"status":       (*app).status,
	"check":        (*app).check,
	"plan":         (*app).plan,
	"probe":        (*app).probe,
	"standby":      (*app).standby,
	"notify":       (*app).notify,
	"drain":        (*app).drain,
	"undrain":      (*app).undrain,

	"realserver-script": (*app).realServerScript,
	"connections":       (*app).connections,
	"doctor":            (*app).doctor,
}

// ownVerbs take options after them, and as many other words as stand here; what says which. Those of the reference
// ignore what follows, as it does.
var ownVerbs = map[string]struct {
	least, most int
	what        string
}{
	"check":   {0, 0, "only options"},
	"plan":    {0, 0, "only options"},
	"probe":   {0, 0, "only options"},
	"standby": {0, 0, "only options"},
	"notify":  {1, 4, "STATE or INSTANCE|GROUP NAME STATE PRIORITY"},
	"drain":   {1, 2, "[VIRTUAL] REAL"},
	"undrain": {1, 2, "[VIRTUAL] REAL"},

	"realserver-script": {0, 1, "[SERVER]"},
	"connections":       {0, 1, "[VIRTUAL]"},
	"doctor":            {0, 0, "only options"},
}

func run(ctx context.Context, argv []string, stdout, stderr io.Writer) int {
	out := &answer{to: stdout}
	a := &app{argv: argv, stdout: out, stderr: stderr, via: passedOn()}
	if err := a.parse(argv[1:]); err != nil {
		fmt.Fprintf(stderr, "ldirectord: %v\n\n%s", err, usage)
		return exitUsage
	}
	switch {
	case a.help:
		if err := showHelp(out, a.topic); err != nil {
			fmt.Fprintf(stderr, "ldirectord: %v\n", err)
			return exitUsage
		}
		return out.status(exitOK, stderr)
	case a.version:
		fmt.Fprintf(out, "Linux Director Daemon (ldirectord) %s\n", version)
		fmt.Fprintf(out, "commit %s of %s, %s %s/%s\n", commit, date, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return out.status(exitOK, stderr)
	}
	path, err := a.find()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailure
	}
	a.path = path
	a.chooseRunDir()
	startLean()
	a.manager = newServiceManager()
	a.env = newEnvironment(a.verb)
	defer a.env.close()
	return out.status(verbs[a.verb](a, ctx), stderr)
}

// find is the path of the configuration. To tell and to end a daemon its name is enough, wherever its file went.
func (a *app) find() (string, error) {
	path, missing := locate(a.config)
	if missing == nil || a.verb != "status" && a.verb != "stop" {
		return path, missing
	}
	for _, path := range paths(a.config) {
		gone := a.options
		gone.path = path
		gone.chooseRunDir()
		if gone.instance().Find().Pid != 0 {
			return path, nil
		}
	}
	return "", missing
}

func (o *options) isOwnVerb() bool { _, own := ownVerbs[o.verb]; return own }
