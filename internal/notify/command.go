package notify

import (
	"fmt"

	"ldirectord/internal/lvs"
)

// Report is the state of a virtual service in the form that is passed to the operator's programs.
type Report struct {
	Text        []byte // as JSON
	Available   bool
	Up, Servers int // how many of its servers are up, of how many
}

// FallbackCommand returns the hook that runs a fallbackcommand with the word start or stop.
func FallbackCommand(command string, of lvs.Key, word string) Hook {
	address := of.Name()
	if of.Protocol == lvs.Mark {
		address = ":0" // what the Perl ldirectord passes for a mark
	}
	line := fmt.Sprintf("%s %s %s %s", command, word, address, of.Protocol)
	return Hook{Lane: of.ID(), Virtual: of.ID(), Command: command, Argv: Shell(line)}
}

// Callback returns the hook that runs the command of the directive callback for a file.
func Callback(command, file string) Hook {
	return Hook{Lane: "callback", Command: command, Argv: []string{command, file}}
}

// OnChange returns the hook that runs the command of the directive onchange for the virtual service with this id.
func OnChange(command, virtual string, now Report) Hook {
	word := "unavailable"
	if now.Available {
		word = "available"
	}
	line := fmt.Sprintf("%s %s %s %d %d", command, virtual, word, now.Up, now.Servers)
	return Hook{Lane: "onchange", Key: virtual, Virtual: virtual, Command: command, Argv: Shell(line),
		Stdin: now.Text}
}
