package main

import (
	"cmp"
	"embed"
	"fmt"
	"io"
	"strings"
)

var (
	// helpTexts has a file for each topic and each command. A test writes most of them from the rows of commands
	// and options, and from the parser's tables.
	//
	//go:embed help/*.txt
	helpTexts embed.FS
	//go:embed help/usage.txt
	usage string
)

// topics are the words that may follow --help, besides commands and directives, in the order of the help text.
var topics = strings.Fields("commands options files directives checks marks exit")

// showHelp shows the short help, or the help on a topic, a command or a directive.
func showHelp(w io.Writer, topic string) error {
	text, err := helpTexts.ReadFile("help/" + cmp.Or(topic, "short") + ".txt")
	if err != nil {
		text, err = ofDirective(topic)
	}
	if err != nil {
		return err
	}
	if topic == "" {
		fmt.Fprint(w, usage)
	}
	_, err = w.Write(text)
	return err
}

// ofDirective returns the help on one directive.
func ofDirective(name string) ([]byte, error) {
	all, _ := helpTexts.ReadFile("help/directives.txt") // it is embedded
	legend, rows, _ := strings.Cut(string(all), "\n\n")
	for row := range strings.SplitSeq(strings.TrimSpace(rows), "\n\n") {
		if row = strings.TrimSpace(row); strings.HasPrefix(row, name+" =") {
			return []byte("  " + row + "\n\n" + legend + "\n"), nil
		}
	}
	return nil, fmt.Errorf("no help on %q; the topics are %s, and each command and directive", name,
		strings.Join(topics, ", "))
}

// usageOf returns the usage line of a command, or the general usage if the command is unknown.
func usageOf(verb string) string {
	text, err := helpTexts.ReadFile("help/" + verb + ".txt")
	if err != nil {
		return usage
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line + "\n       ldirectord --help " + verb + "\n"
}
