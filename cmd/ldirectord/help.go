package main

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"ldirectord/checker"
	"ldirectord/parser"
)

//go:embed help/*.txt
var helpTexts embed.FS

const usage = `Usage: ldirectord [OPTION]... [CONFIG] COMMAND [ARGUMENT]...
       ldirectord --help [TOPIC] | --version
`

const help = usage + `
Checks the real servers of Linux Virtual Server and keeps the kernel's table as CONFIG
says: ldirectord.cf in /etc/ha.d, unless another one is named.

  start, stop, restart, try-restart, reload, force-reload    the daemon
  status [-v|--json]                      does it run? every server and its state
  check [--strict|--json], plan, probe    look before you start or reload
  drain, undrain [VIRTUAL] REAL           no new connections for a server
  standby, notify STATE                   two directors and a cluster manager
  connections [VIRTUAL], doctor           what flows, and what keeps it from flowing
  realserver-script [SERVER]              what sets a real server up

  -d        stay in the foreground, log on standard error
  --help TOPIC, with one of
      %s

Exit status: 0 done, 1 failed, 2 the configuration is refused, 3 not running,
255 usage error.
`

// topics are the words that may follow --help, in the order in which it names them.
var topics = []string{"commands", "options", "files", "directives", "checks", "status", "drain", "standby", "marks", "exit"}

// showHelp shows the help in short, or that on a topic.
func showHelp(w io.Writer, topic string) error {
	switch {
	case topic == "":
		fmt.Fprintf(w, help, strings.Join(topics, ", "))
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
	default:
		return fmt.Errorf("no help on %q; there is on %s", topic, strings.Join(topics, ", "))
	}
	return nil
}

// showDirectives lists the directives of the parser's table.
func showDirectives(w io.Writer) {
	fmt.Fprintln(w, "Directives of ldirectord.cf; ldirectord.cf(5) has more. G: global, S: in a section,\n+: unknown to the Perl daemon.")
	for _, d := range parser.Directives() {
		what, _, _ := strings.Cut(strings.ReplaceAll(d.Doc, "`", ""), ". ")
		fmt.Fprintf(w, "\n  %s = %s%s [%s]\n      %s.\n", d.Name, d.Value, standard(d.Default), placeOf(d), strings.TrimSuffix(what, "."))
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

func standard(value string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf(" (%s)", value)
}

// checksPage is where the packages put what is to be known of each check.
const checksPage = "/usr/share/doc/ldirectord/docs/checks.md"

// showChecks lists the kinds of checks and the services that negotiate knows.
func showChecks(w io.Writer) {
	fmt.Fprintf(w, `Checks, by checktype:

  negotiate      talk to the service: request, and receive in the answer (the default)
  connect        a TCP connection; a ping where the service has none
  ping           an ICMP echo
  external       a program of yours; external-perl one in Perl
  off, on        never in service; always
  N              one negotiate, then N connects

Services of negotiate, with the port by which they are guessed:

`)
	known := checker.Services()
	for _, s := range parser.Services() {
		switch {
		case !slices.Contains(known, s.Name):
		case s.Port == 0:
			fmt.Fprintf(w, "  %-11s\n", s.Name)
		default:
			fmt.Fprintf(w, "  %-11s %d\n", s.Name, s.Port)
		}
	}
	fmt.Fprintf(w, "\n%s has what each asks and when its server is up.\n", checksPage)
}
