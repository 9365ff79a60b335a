package main

import (
	"strconv"
	"strings"
)

// dest is one destination of a virtual service in the table.
type dest struct {
	addr   string
	weight int
}

// dests finds the destinations of one virtual TCP service in a table in the lines of `ipvsadm -Sn`.
// ok is false when the table has no such service.
func dests(table, virtual string) (found []dest, ok bool) {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != "-t" || f[2] != virtual {
			continue
		}
		switch f[0] {
		case "-A":
			ok = true
		case "-a":
			found = append(found, dest{addr: option(f, "-r"), weight: weight(f)})
		}
	}
	return found, ok
}

// option returns the word after a flag, "" when it is not there.
func option(words []string, flag string) string {
	for i, w := range words[:len(words)-1] {
		if w == flag {
			return words[i+1]
		}
	}
	return ""
}

// weight of a destination; ipvsadm's default is 1.
func weight(words []string) int {
	n, err := strconv.Atoi(option(words, "-w"))
	if err != nil {
		return 1
	}
	return n
}
