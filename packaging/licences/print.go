package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const rule = "================================================================================\n"

// plain has every text in full.
func plain(modules []module) string {
	var b strings.Builder
	b.WriteString("ldirectord is under the Apache License, Version 2.0. The program holds what follows, each under its own\n" +
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

// common are the texts that each Debian has in /usr/share/common-licenses, and how its copyright files begin them.
var common = map[string]string{
	"Apache-2.0": "Licensed under the Apache License, Version 2.0.",
	"MPL-2.0":    "This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0.",
}

// copyright is the same in Debian's form (DEP-5).
func copyright(modules []module) string {
	var b strings.Builder
	b.WriteString("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: ldirectord\n" +
		"Comment: The program is one static binary. What stands under modules/ below are the modules of Go in it; the\n" +
		" source of one is what `go mod download MODULE@VERSION` brings, unchanged.\n")
	paragraph(&b, "*", "2026 The ldirectord authors", "Apache-2.0", "")
	for _, m := range modules {
		name, text := m.name(), m.files[0].text
		if common[name] != "" {
			text = ""
		} else {
			name += "-" + short(m.path)
		}
		paragraph(&b, "modules/"+m.path+"@"+m.version+"/*", strings.Join(holders(m), "\n"), name, text)
		field := "Comment:"
		for _, f := range m.files[1:] {
			if f.name != "AUTHORS" {
				fmt.Fprintf(&b, "%s %s\n%s", field, f.name, indent(f.text))
				field = ""
			}
		}
	}
	for _, name := range []string{"Apache-2.0", "MPL-2.0"} {
		fmt.Fprintf(&b, "\nLicense: %s\n %s\n On Debian systems its text is in /usr/share/common-licenses/%[1]s.\n", name, common[name])
	}
	return b.String()
}

// paragraph writes what holds for the files of one folder; a licence without text has a paragraph of its own.
func paragraph(b *strings.Builder, files, holder, licence, text string) {
	fmt.Fprintf(b, "\nFiles: %s\nCopyright: %s\nLicense: %s\n%s", files, strings.ReplaceAll(holder, "\n", "\n  "), licence, indent(text))
}

// indent makes the lines of a field of a text.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line == "\n" {
			line = ".\n"
		}
		b.WriteString(" " + line)
	}
	return b.String()
}

var holding = regexp.MustCompile(`(?im)^\s*(?:portions |all )?copyright (?:\(c\)|©)? ?(.*?)[.,]?(?: all rights reserved.*)?$`)

// holders are the lines that say whose a module is.
func holders(m module) (found []string) {
	for _, f := range m.files {
		for _, match := range holding.FindAllStringSubmatch(f.text, -1) {
			if who := strings.TrimSpace(match[1]); strings.ContainsAny(who, "0123456789") {
				found = append(found, who)
			}
		}
	}
	if len(found) == 0 {
		return []string{"the authors of " + m.path}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// short is a path as the name of a licence may hold it.
func short(path string) string {
	return strings.Trim(regexp.MustCompile(`[^a-zA-Z0-9]+`).ReplaceAllString(path, "-"), "-")
}
