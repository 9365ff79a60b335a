package main

import (
	"cmp"
	"embed"
	"fmt"
	"io"
	"strings"
)

var (
	// helpTexts have a file for each topic and each command. A test writes most of them, from the rows of commands
	// and options, and from the parser's tables.
	//
	//go:embed help/*.txt
	helpTexts embed.FS
	//go:embed help/usage.txt
	usage string
)

// topics are the words, in addition to commands, that may follow --help, in the order of the help text.
var topics = strings.Fields("commands options files directives checks marks exit")

// showHelp shows the short help, or the help on a topic or a command.
func showHelp(w io.Writer, topic string) error {
	text, err := helpTexts.ReadFile("help/" + cmp.Or(topic, "short") + ".txt")
	if err != nil {
		return fmt.Errorf("no help on %q; the topics are %s, and each command", topic,
			strings.Join(topics, ", "))
	}
	if topic == "" {
		fmt.Fprint(w, usage)
	}
	_, err = w.Write(text)
	return err
}
