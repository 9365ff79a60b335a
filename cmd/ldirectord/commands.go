package main

import (
	"context"

	"ldirectord/daemon"
	"ldirectord/director"
)

// command is what the program can be told.
type command struct {
	run func(context.Context, *call) error
	words
	options string // the long options that it has a use for, but for those of every command

	perls  bool // it is one of the Perl's, or of a cluster manager; others print findings as file:line:column
	byFile bool // the file must be there; to others its name is enough where a daemon runs

	ownJSON bool // with --json it answers in a shape of its own, see answered
}

// words are what may come after a command, options aside. The commands of the Perl ldirectord have none: they ignore
// what comes, as its own do.
type words struct {
	takes    string
	min, max int
}

var (
	onlyOptions = words{takes: "only options"}
	aServer     = words{"[VIRTUAL] REAL", 1, 2}
	anAddress   = words{"[ADDRESS]", 0, 1}
)

// Commands with two names.
var (
	reloads = command{run: reload, options: "json strict", perls: true, byFile: true}
	readies = command{run: order(director.Ready, false), words: aServer, options: "json"}
)

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
	"reload":       reloads,
	"force-reload": reloads,
	"status":       {run: showStatus, options: "json verbose watch", perls: true, ownJSON: true},

	"check": {
		run: check, words: onlyOptions,
		options: "json no-lookup strict warnings-are-errors with-secrets", byFile: true,
	},
	"plan": {run: plan, words: onlyOptions, options: "exit-code json strict", byFile: true},
	"probe": {
		run: loaded(probe), words: words{"[VIRTUAL] [REAL]", 0, 2},
		options: "json strict verbose", byFile: true,
	},
	"shadow": {
		run: loaded(runShadow), words: onlyOptions,
		options: "for report strict with-programs",
	},
	"standby": {run: standby, words: onlyOptions, options: "foreground strict", perls: true, byFile: true},
	"notify": {
		run: notifyState, words: words{"STATE or INSTANCE|GROUP NAME STATE PRIORITY", 1, 4},
		perls: true, byFile: true,
	},
	"drain": {
		run: order(director.Drain, false), words: aServer,
		options: orderOptions + " force timeout wait",
	},
	"undrain": readies,
	"undo":    readies,
	"set": {
		run: set, words: words{"[VIRTUAL] REAL drain|maint|ready|weight N", 2, 4},
		options: orderOptions + " force timeout wait",
	},
	"wait": {
		run: waitFor, words: words{"[VIRTUAL] REAL up|out", 2, 3},
		options: "json timeout",
	},
	"orders": {run: orders, words: onlyOptions, options: "json", ownJSON: true},
	"why": {
		run: why, words: aServer,
		options: "json lines verbose", ownJSON: true,
	},
	"obey": {
		run: order(director.Obey, true), words: words{"VIRTUAL", 1, 1},
		options: orderOptions + " off",
	},
	"withdraw": {
		run: order(director.Withdraw, true), words: anAddress,
		options: orderOptions + " timeout wait",
	},
	"announce": {
		run: order(director.Announce, true), words: anAddress,
		options: "json",
	},

	"realserver-script": {run: loaded(printRealServerScript), words: words{"[SERVER]", 0, 1}},
	"connections": {
		run: loaded(connections), words: words{"[VIRTUAL]", 0, 1},
		options: "json", ownJSON: true,
	},
	"doctor": {
		run: loaded(examine), words: onlyOptions,
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
