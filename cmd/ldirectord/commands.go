package main

import (
	"context"
	_ "embed" // the rows are part of the program
	"encoding/json"

	"ldirectord/daemon"
	"ldirectord/director"
)

// command is what the program can be told: a row of help/commands.json, and its function.
type command struct {
	run func(context.Context, *call) error

	// What may come after it, options aside. The commands of the Perl ldirectord have none: they ignore what comes,
	// as its own do.
	Takes    string
	Min, Max int
	Options  []string // the long ones that it has a use for, but for those of every command

	Perls  bool // it is one of the Perl's, or of a cluster manager; others print findings as file:line:column
	ByFile bool // the file must be there; to others its name is enough where a daemon runs

	OwnJSON bool // with --json it answers in a shape of its own, see answered
}

// everywhere are the options of every command: the Perl ldirectord's, and where and for which table it works.
var everywhere = []string{"debug", "help", "version", "ipvs", "log-format", "rundir"}

//go:embed help/commands.json
var commandRows []byte

// commands are all of them.
var commands = readCommands(map[string]func(context.Context, *call) error{
	"start":             start,
	"stop":              stop,
	"restart":           loaded(restart),
	"try-restart":       tryRestart,
	"reload":            reload,
	"force-reload":      reload,
	"status":            showStatus,
	"check":             check,
	"plan":              plan,
	"probe":             loaded(probe),
	"shadow":            loaded(runShadow),
	"standby":           standby,
	"notify":            notifyState,
	"drain":             order(director.Drain, false),
	"undrain":           order(director.Ready, false),
	"undo":              order(director.Ready, false),
	"set":               set,
	"wait":              waitFor,
	"orders":            orders,
	"why":               why,
	"obey":              order(director.Obey, true),
	"withdraw":          order(director.Withdraw, true),
	"announce":          order(director.Announce, true),
	"realserver-script": loaded(printRealServerScript),
	"connections":       loaded(connections),
	"doctor":            loaded(examine),
})

func readCommands(run map[string]func(context.Context, *call) error) (all map[string]command) {
	if err := json.Unmarshal(commandRows, &all); err != nil {
		panic(err) // they are part of the program
	}
	for verb, c := range all {
		c.run = run[verb]
		all[verb] = c
	}
	return all
}

// loaded is a command that needs the configuration. One that is refused ends it.
func loaded(run func(context.Context, *call, *daemon.Loaded) error) func(context.Context, *call) error {
	return func(ctx context.Context, c *call) error {
		l, err := c.load(ctx)
		if err != nil {
			return err
		}
		return run(ctx, c, l)
	}
}

func isCommand(word string) bool { _, ok := commands[word]; return ok }
