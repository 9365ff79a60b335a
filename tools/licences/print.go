package main

import (
	"fmt"
	"strings"
)

const rule = "================================================================================\n"

// plain has every text in full.
func plain(modules []module) string {
	var b strings.Builder
	b.WriteString(
		"ldirectord is under the Apache License, Version 2.0. The program holds what follows, each under its " +
			"own\n" +
			"terms. The source of a module is what `go mod download MODULE@VERSION` brings, unchanged.\n\n")
	for _, m := range modules {
		fmt.Fprintf(&b, "  %s %s: %s\n", m.path, m.version, m.name())
	}
	for _, m := range modules {
		for _, f := range m.files {
			fmt.Fprintf(&b, "\n%s%s %s: %s\n%s\n%s", rule, m.path, m.version, f.name, rule, f.text)
		}
	}
	return b.String()
}
