package main

import (
	_ "embed" // the rows are part of the program
	"regexp"
	"strings"
)

// entry is a row of commands.txt or options.txt.
type entry struct {
	chapter, title        string // "-n, --lines N"
	short, name, argument string // the parts of the title
	head                  map[string]string
	text                  string // after the head
}

var (
	//go:embed commands.txt
	commandsText string
	//go:embed options.txt
	optionsText string
)

var (
	commandEntries = readEntries(commandsText)
	optionEntries  = readEntries(optionsText)
)

// rowTitle splits the title of a row.
var rowTitle = regexp.MustCompile(`^(?:-(\w), )?(?:--)?([a-z-]+) ?(.*)$`)

func readEntries(text string) (entries []entry) {
	for _, chapter := range strings.Split(text, "\n# ")[1:] {
		parts := strings.Split(chapter, "\n## ")
		for _, part := range parts[1:] {
			head, text, _ := strings.Cut(part, "\n\n")
			lines := strings.Split(head, "\n")
			title := rowTitle.FindStringSubmatch(lines[0])
			e := entry{strings.TrimSpace(parts[0]), title[0], title[1], title[2], title[3],
				map[string]string{}, text}
			for _, line := range lines[1:] {
				if key, value, found := strings.Cut(line, ": "); found {
					e.head[key] = value
				}
			}
			entries = append(entries, e)
		}
	}
	return entries
}
