package main

import (
	_ "embed" // the rows are part of the program
	"regexp"
	"strings"
)

// entry holds the part of a row of commands.txt or options.txt that is needed to read the command line. A test copies
// the other parts into the help and the manual.
type entry struct {
	short, name, argument string // the parts of the title, "-n, --lines N"
	head                  map[string]string
}

var (
	//go:embed commands.txt
	commandsText string
	//go:embed options.txt
	optionsText string
)

var optionEntries = readEntries(optionsText)

// rowTitle splits the title of a row into short name, name and argument.
var rowTitle = regexp.MustCompile(`^(?:-(\w), )?(?:--)?([a-z-]+) ?(.*)$`)

func readEntries(text string) (entries []entry) {
	for _, row := range strings.Split(text, "\n## ")[1:] {
		head, _, _ := strings.Cut(row, "\n\n")
		first, lines, _ := strings.Cut(head, "\n")
		title := rowTitle.FindStringSubmatch(first)
		e := entry{title[1], title[2], title[3], map[string]string{}}
		for line := range strings.Lines(lines) {
			key, value, _ := strings.Cut(line, ": ")
			e.head[key] = strings.TrimSpace(value)
		}
		entries = append(entries, e)
	}
	return entries
}
