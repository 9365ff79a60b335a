package main

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"ldirectord/checker"
	"ldirectord/lvs"
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

// topics are the words, beside commands, that may follow --help, in the order in which it names them.
var topics = []string{"commands", "options", "files", "directives", "checks", "marks", "exit"}

// showHelp shows the help in short, or that on a topic or a command.
func showHelp(w io.Writer, topic string) error {
	switch {
	case topic == "":
		fmt.Fprintf(w, usage+shortHelp, chapters(), strings.Join(topics, ", "))
	case topic == "commands":
		showCommands(w)
	case topic == "options":
		showOptions(w)
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
		showCommand(w, commands[topic])
	default:
		return fmt.Errorf("no help on %q; there is on %s, and on each command", topic,
			strings.Join(topics, ", "))
	}
	return nil
}

// plain is a text of a row without its marks.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }

// chapters are the commands, a line for each chapter.
func chapters() (lines string) {
	for i, e := range commandEntries {
		if i == 0 || e.chapter != commandEntries[i-1].chapter {
			lines += fmt.Sprintf("\n  %-22s", e.chapter)
		}
		lines += " " + e.name
	}
	return lines
}

func showCommands(w io.Writer) {
	fmt.Fprintln(w, "Commands, as in ldirectord CONFIG COMMAND. --help COMMAND has more, --help why how REAL and\n"+
		"VIRTUAL are written.")
	chapter := ""
	for _, e := range commandEntries {
		if e.chapter != chapter {
			chapter = e.chapter
			fmt.Fprintf(w, "\n%s\n", chapter)
		}
		fmt.Fprintf(w, "  %-17s %s\n", e.name, plain(e.head["line"]))
	}
}

func showCommand(w io.Writer, c command) {
	fmt.Fprintf(w, "Usage: ldirectord [OPTION]... [CONFIG] %s\n\n  %s  %s\n\n", c.title, c.name,
		plain(c.head["line"]))
	if c.text != "" {
		fmt.Fprintln(w, plain(c.text))
	}
	for _, e := range optionEntries {
		if slices.Contains(c.Options, e.name) {
			showOption(w, e)
		}
	}
	fmt.Fprintln(w, "\nMore: ldirectord --help options, ldirectord(8)")
}

func showOptions(w io.Writer) {
	fmt.Fprintln(w, "Options come before the file; the long ones may also come after the command. One\n"+
		"that the command does not have is refused.")
	for _, e := range optionEntries {
		showOption(w, e)
		for line := range strings.Lines(plain(e.text) + e.of()) {
			fmt.Fprintf(w, "%28s%s", "", line)
		}
	}
}

// of names the commands that have an option, but for one of every command or of most.
func (e entry) of() string {
	var names []string
	for _, c := range commandEntries {
		if slices.Contains(commands[c.name].Options, e.name) {
			names = append(names, c.name)
		}
	}
	if len(names) == 0 || len(names) > 8 {
		return ""
	}
	return "Commands: " + strings.Join(names, ", ") + ".\n"
}

func showOption(w io.Writer, e entry) {
	title := e.title
	if e.short == "" {
		title = "    " + title
	}
	fmt.Fprintf(w, "  %-25s %s\n", title, plain(e.head["line"]))
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
	for _, s := range lvs.Services() {
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
