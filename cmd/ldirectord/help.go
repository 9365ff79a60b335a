package main

import (
	"embed"
	"fmt"
	"io"
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
)

// topics are the words that may follow --help, in the order in which it names them.
var topics = []string{"commands", "options", "files", "directives", "checks", "status", "drain", "standby", "marks", "exit"}

// showHelp shows the help in short, or that on a topic.
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
	default:
		return fmt.Errorf("no help on %q; there is on %s", topic, strings.Join(topics, ", "))
	}
	return nil
}

// showDirectives lists the directives of the parser's table.
func showDirectives(w io.Writer) {
	fmt.Fprintln(w, "Directives of ldirectord.cf; ldirectord.cf(5) has more. G: global, S: in a section,\n+: unknown to the Perl daemon.")
	for _, d := range parser.Directives() {
		what, _, _ := strings.Cut(strings.ReplaceAll(d.Doc, "`", ""), ". ")
		standard := ""
		if d.Default != "" {
			standard = " (" + d.Default + ")"
		}
		fmt.Fprintf(w, "\n  %s = %s%s [%s]\n      %s.\n", d.Name, d.Value, standard, placeOf(d), strings.TrimSuffix(what, "."))
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
