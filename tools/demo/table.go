package main

import (
	"regexp"
	"strconv"
)

// dest is one destination of a virtual service in the table.
type dest struct {
	addr   string
	weight int
}

// dests finds the destinations of one virtual TCP service in a table in the lines of `ipvsadm -Sn`.
func dests(table, virtual string) (found []dest) {
	line := regexp.MustCompile(`(?m)^-a -t ` + regexp.QuoteMeta(virtual) + ` -r (\S+) -\w -w (\d+)`)
	for _, m := range line.FindAllStringSubmatch(table, -1) {
		weight, _ := strconv.Atoi(m[2]) // one too large for a number gets nothing
		found = append(found, dest{m[1], weight})
	}
	return found
}
