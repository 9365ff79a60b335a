package main

import (
	"embed"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"ldirectord/checker"
	"ldirectord/parser"
)

var (
	//go:embed help/*.txt
	helpTexts embed.FS
	//go:embed help/usage.txt
	usage string
	//go:embed help/short.txt
	shortHelp string
	//go:embed help/checks.txt
	checksHelp string
	//go:embed help/commands.txt
	commandsHelp string
)

// topics are the words that may follow --help, in the order in which it names them.
var topics = []string{"commands", "options", "files", "directives", "checks", "status", "drain", "standby", "marks",
	"exit"}

// showHelp shows the help in short, or that on a topic or a command.
func showHelp(w io.Writer, topic string) error {
	switch {
	case topic == "":
		fmt.Fprintf(w, usage+shortHelp, strings.Join(topics, ", "))
	case topic == "directives":
		showDirectives(w)
	case topic == "checks":
		showChecks(w)
	case slices.Contains(topics, topic):
		text, err := helpTexts.ReadFile("help/" + topic + ".txt")
		if err != nil {
			return fmt.Errorf("help: %w", err)
		}
		_, err = w.Write(text)
		return err
	case isCommand(topic):
		fmt.Fprintf(w, "%s\nMore: ldirectord --help options, ldirectord(8)\n", entryOf(topic))
	default:
		return fmt.Errorf("no help on %q; there is on %s, and on each command", topic,
			strings.Join(topics, ", "))
	}
	return nil
}

// entryOf is what the help on the commands has on one of them: its line and those that are indented more.
func entryOf(command string) string {
	return regexp.MustCompile(`(?m)^  ` + command + `( .*)?\n(   .*\n)*`).FindString(commandsHelp)
}

// showDirectives lists the directives of the parser's table.
func showDirectives(w io.Writer) {
	fmt.Fprintln(w,
		"Directives of ldirectord.cf; ldirectord.cf(5) has more. G: global, S: in a section,\n+: unknown to "+
			"the Perl daemon.")
	for _, d := range parser.Directives() {
		what, _, _ := strings.Cut(strings.ReplaceAll(d.Doc, "`", ""), ". ")
		standard := ""
		if d.Default != "" {
			standard = " (" + d.Default + ")"
		}
		fmt.Fprintf(w, "\n  %s = %s%s [%s]\n      %s.\n", d.Name, d.Value, standard, placeOf(d),
			strings.TrimSuffix(what, "."))
	}
}

func placeOf(d parser.Directive) (place string) {
	if d.Global() || !d.Section() { // virtual and virtual6 are neither
		place += "G"
	}
	if d.Section() {
		place += "S"
	}
	if d.Extension {
		place += "+"
	}
	return place
}

// checksPage is where the packages put what is to be known of each check.
const checksPage = "/usr/share/doc/ldirectord/docs/checks.md"

// showChecks lists the kinds of checks and the services that negotiate knows.
func showChecks(w io.Writer) {
	known := checker.Services()
	var services strings.Builder
	for _, s := range parser.Services() {
		switch {
		case !slices.Contains(known, s.Name):
		case s.Port == 0:
			fmt.Fprintf(&services, "  %-11s\n", s.Name)
		default:
			fmt.Fprintf(&services, "  %-11s %d\n", s.Name, s.Port)
		}
	}
	fmt.Fprintf(w, checksHelp, services.String(), checksPage)
}
