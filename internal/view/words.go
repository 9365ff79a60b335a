package view

import (
	"fmt"
	"strings"

	"ldirectord/internal/lvs"
)

// Carried describes the connections of a server in words.
func Carried(c lvs.Counters) string {
	text := Plural(c.Total(), "connection")
	if c.Persistent > 0 {
		text += ", " + Plural(c.Persistent, "persistent client")
	}
	return text
}

// Plural returns a number with its noun: 1 server, 2 servers.
func Plural[N int | uint32 | uint64](n N, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// Listed joins names on one line and shortens a long list.
func Listed(names []string) string {
	const most = 10
	line := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		line += fmt.Sprintf(" and %d more", more)
	}
	return line
}
