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

	options string // the long options that it has a use for, but for those of every command

	perls  bool // it is one of the Perl's, or of a cluster manager; others print findings as file:line:column
	byFile bool // the file must be there; to others its name is enough where a daemon runs

	ownJSON bool // with --json it answers in a shape of its own, see answered
}

const onlyOptions = "only options"

// everywhere are the options of every command: the Perl ldirectord's, and where and for which table it works.
const everywhere = "debug help version ipvs log-format rundir"

// orderOptions are those of an order that lasts.
const orderOptions = "for json until why"

// commands are all of them.
var commands = map[string]command{
	"start":        {run: start, options: "foreground strict", perls: true, byFile: true},
	"stop":         {run: stop, options: "keep", perls: true},
	"restart":      {run: loaded(restart), options: "foreground strict", perls: true, byFile: true},
	"try-restart":  {run: tryRestart, options: "foreground strict", perls: true, byFile: true},
	"reload":       {run: loaded(reload), options: "json strict", perls: true, byFile: true},
	"force-reload": {run: loaded(reload), options: "json strict", perls: true, byFile: true},
	"status":       {run: showStatus, options: "json verbose watch", perls: true, ownJSON: true},

	"check": {
		run: check, takes: onlyOptions,
		options: "json no-lookup strict warnings-are-errors with-secrets", byFile: true,
	},
	"plan": {run: plan, takes: onlyOptions, options: "exit-code json strict", byFile: true},
	"probe": {
		run: loaded(probe), takes: "[VIRTUAL] [REAL]", max: 2,
		options: "json strict verbose", byFile: true,
	},
	"shadow": {
		run: loaded(runShadow), takes: onlyOptions,
		options: "for report strict with-programs",
	},
	"trace": {
		run: trace, takes: "[VIRTUAL] REAL", min: 1, max: 2,
		options: "for",
	},
	"standby": {run: standby, takes: onlyOptions, options: "foreground strict", perls: true, byFile: true},
	"notify": {
		run: notifyState, takes: "STATE or INSTANCE|GROUP NAME STATE PRIORITY", min: 1, max: 4,
		perls: true, byFile: true,
	},
	"drain": {
		run: order(director.Drain), takes: "[VIRTUAL] REAL", min: 1, max: 2,
		options: orderOptions + " force timeout wait",
	},
	"undrain": {
		run: order(director.Ready), takes: "[VIRTUAL] REAL", min: 1, max: 2,
		options: "json",
	},
	"set": {
		run: set, takes: "[VIRTUAL] REAL drain|maint|ready|weight N", min: 2, max: 4,
		options: orderOptions + " force timeout wait",
	},
	"undo": {
		run: order(director.Ready), takes: "[VIRTUAL] REAL", min: 1, max: 2,
		options: "json",
	},
	"wait": {
		run: waitFor, takes: "[VIRTUAL] REAL up|out", min: 2, max: 3,
		options: "json timeout",
	},
	"orders": {run: orders, takes: onlyOptions, options: "json", ownJSON: true},
	"why": {
		run: why, takes: "[VIRTUAL] REAL", min: 1, max: 2,
		options: "json lines", ownJSON: true,
	},
	"obey": {
		run: obeyChecks, takes: "VIRTUAL", min: 1, max: 1,
		options: orderOptions + " off",
	},
	"withdraw": {
		run: withdraw(director.Withdraw), takes: "[ADDRESS]", max: 1,
		options: orderOptions + " timeout wait",
	},
	"announce": {
		run: withdraw(director.Announce), takes: "[ADDRESS]", max: 1,
		options: "json",
	},

	"realserver-script": {run: loaded(printRealServerScript), takes: "[SERVER]", max: 1},
	"connections": {
		run: loaded(connections), takes: "[VIRTUAL]", max: 1,
		options: "json", ownJSON: true,
	},
	"doctor": {
		run: loaded(examine), takes: onlyOptions,
		options: "json",
	},
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
