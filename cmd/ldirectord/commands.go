package main

import (
	"fmt"
	"slices"
	"strings"

	"ldirectord/internal/orders"
)

// action is what a command does.
type action func(*call) error

// command is a row of commands.txt together with the function that carries it out.
type command struct {
	entry
	run action

	// The words that may follow the command. The commands of the Perl ldirectord take none: like that program, they
	// ignore further words.
	Takes    string
	Min, Max int
	Options  []string // its own options, without those that every command has
}

// is reports whether the row's line "is" contains a word. The words are: perls (a command of the Perl ldirectord or of
// a cluster manager; other commands print findings as file:line:column), by-file (the command needs the file; other
// commands need only its name while a daemon is running), starts (the command becomes the daemon or starts it), and
// own-json (the command has its own form of --json, see conclude).
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

// loaded makes an action that first loads the configuration, and fails if the configuration is refused.
func loaded(run action) action {
	return func(c *call) error {
		if err := c.load(); err != nil {
			return err
		}
		return run(c)
	}
}

func isCommand(word string) bool { _, ok := commands[word]; return ok }
