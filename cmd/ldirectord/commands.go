package main

import (
	"context"

	"ldirectord/daemon"
	"ldirectord/director"
)

// command is what the program can be told.
type command struct {
	run func(context.Context, *call) error

	// Commands that the Perl ldirectord does not have. Its own ignore what comes after them, as it does.
	takes    string // what may come after the command, options aside; "" with the Perl's
	min, max int    // words

	asks  bool // it starts nothing: findings are printed as file:line:column
	waits bool // real servers may wait for addresses: the daemon may have begun without them
}

const onlyOptions = "only options"

// commands are all of them.
var commands = map[string]command{
	"start":        {run: start},
	"stop":         {run: stop},
	"restart":      {run: loaded(restart)},
	"try-restart":  {run: tryRestart},
	"reload":       {run: loaded(reload)},
	"force-reload": {run: loaded(reload)},
	"status":       {run: showStatus},

	"check":    {run: check, takes: onlyOptions, asks: true},
	"plan":     {run: plan, takes: onlyOptions, asks: true},
	"probe":    {run: loaded(probe), takes: "[VIRTUAL] [REAL]", max: 2, asks: true},
	"shadow":   {run: loaded(runShadow), takes: onlyOptions, asks: true, waits: true},
	"trace":    {run: trace, takes: "[VIRTUAL] REAL", min: 1, max: 2, asks: true, waits: true},
	"standby":  {run: standby, takes: onlyOptions},
	"notify":   {run: notifyState, takes: "STATE or INSTANCE|GROUP NAME STATE PRIORITY", min: 1, max: 4},
	"drain":    {run: order(director.Drain), takes: "[VIRTUAL] REAL", min: 1, max: 2, asks: true, waits: true},
	"undrain":  {run: order(director.Ready), takes: "[VIRTUAL] REAL", min: 1, max: 2, asks: true, waits: true},
	"set":      {run: set, takes: "[VIRTUAL] REAL drain|maint|ready|weight N", min: 2, max: 4, asks: true, waits: true},
	"undo":     {run: order(director.Ready), takes: "[VIRTUAL] REAL", min: 1, max: 2, asks: true, waits: true},
	"orders":   {run: orders, takes: onlyOptions, asks: true, waits: true},
	"why":      {run: why, takes: "[VIRTUAL] REAL", min: 1, max: 2, asks: true, waits: true},
	"obey":     {run: obeyChecks, takes: "VIRTUAL", min: 1, max: 1, asks: true, waits: true},
	"withdraw": {run: withdraw(director.Withdraw), takes: "[ADDRESS]", max: 1, asks: true, waits: true},
	"announce": {run: withdraw(director.Announce), takes: "[ADDRESS]", max: 1, asks: true, waits: true},

	"realserver-script": {run: loaded(printRealServerScript), takes: "[SERVER]", max: 1, asks: true, waits: true},
	"connections":       {run: loaded(connections), takes: "[VIRTUAL]", max: 1, asks: true, waits: true},
	"doctor":            {run: loaded(examine), takes: onlyOptions, asks: true, waits: true},
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
