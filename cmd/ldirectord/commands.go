package main

import (
	"fmt"
	"slices"
	"strings"

	"ldirectord/internal/orders"
)

// action is what a command does.
type action func(*call) error

// command is one command: a row of commands.txt, and its function.
type command struct {
	entry
	run action

	// The words that may follow the command. Commands of the Perl ldirectord have none: they ignore further words,
	// as it does.
	Takes    string
	Min, Max int
	Options  []string // its own options, without those that every command has
}

// is reports whether the row has a word after "is": perls (a command of the Perl ldirectord, or of a cluster manager;
// other commands print findings as file:line:column), by-file (needs the file; for other commands its name is enough
// while a daemon runs), starts (becomes the daemon, or starts it), or own-json (answers --json in a form of its own,
// see conclude).
func (c command) is(word string) bool { return slices.Contains(strings.Fields(c.head["is"]), word) }

// commands lists all commands.
var commands = commandsOf(map[string]action{
	"start":             start,
	"stop":              stop,
	"restart":           loaded(restart),
	"try-restart":       tryRestart,
	"reload":            reload,
	"force-reload":      reload,
	"confirm":           confirm,
	"status":            showStatus,
	"check":             check,
	"plan":              showPlan,
	"test":              loaded(testFile),
	"probe":             loaded(probe),
	"shadow":            loaded(runShadow),
	"standby":           standby,
	"notify":            notifyState,
	"drain":             order(orders.Drain, false),
	"undrain":           order(orders.Ready, false),
	"undo":              order(orders.Ready, false),
	"set":               set,
	"wait":              waitFor,
	"orders":            listOrders,
	"roll":              roll,
	"why":               why,
	"obey":              order(orders.Obey, true),
	"withdraw":          order(orders.Withdraw, true),
	"announce":          order(orders.Announce, true),
	"realserver-script": loaded(printRealServerScript),
	"connections":       loaded(connections),
	"doctor":            diagnose,
})

func commandsOf(run map[string]action) map[string]command {
	all := map[string]command{}
	for _, e := range readEntries(commandsText) {
		c := command{entry: e, run: run[e.name], Takes: e.argument, Options: strings.Fields(e.head["options"])}
		if n, _ := fmt.Sscanf(e.head["words"], "%d-%d", &c.Min, &c.Max); n > 0 && c.Takes == "" {
			c.Takes = "only options"
		}
		all[e.name] = c
	}
	return all
}

// loaded makes a command that needs the configuration, and fails if that is refused.
func loaded(run action) action {
	return func(c *call) error {
		if err := c.load(); err != nil {
			return err
		}
		return run(c)
	}
}

func isCommand(word string) bool { _, ok := commands[word]; return ok }
