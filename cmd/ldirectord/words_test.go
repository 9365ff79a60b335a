package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/instance"
	"ldirectord/internal/testkit"
	"ldirectord/parser"
)

// wicked is a word or a name that would colour a terminal and forge a line of the output.
const wicked = "x\x1b[31m\nforged \u009b\u202e"

// isHarmless reports that a text holds something that a terminal obeys, or a line that a word made.
func isHarmless(t *testing.T, what, text string) {
	t.Helper()
	if bad := strings.IndexFunc(text, isControl); bad >= 0 || strings.HasPrefix(text, "forged") ||
		strings.Contains(text, "\nforged") {
		t.Errorf("%s: %q", what, text)
	}
}

// No word of a command line, no name of a file and no value of a directive is printed as it is, whichever command it is
// given to, in whichever place, whether a daemon is running or not. JSON stays JSON.
func TestNoWordIsPrintedRaw(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, wicked+".cf")
	folder := filepath.Join(dir, "maint"+wicked)
	config := "checkinterval = 1\nlogfile = \"" + dir + "/log\"\nmaintenancedir = " + dir +
		"/maint\nvirtual = 10.1.0.1:80\n\treal = 127.0.0.1:80 masq\n\tchecktype = on\n"
	write := func(path, text string) {
		t.Helper()
		testkit.Write(t, path, text)
	}
	for _, dir := range []string{folder, filepath.Join(dir, "maint")} {
		testkit.OK(t, os.Mkdir(dir, 0o700))
		write(filepath.Join(dir, wicked), wicked)
		write(filepath.Join(dir, "127.0.0.1"), wicked)
	}
	write(path, config)
	say := func(words ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(ctx, program(t),
			append([]string{"--rundir", dir, "--ipvs", "memory"}, words...)...)
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); ctx.Err() != nil || err != nil && !errors.As(err, new(*exec.ExitError)) {
			t.Fatalf("%q: %v", words, err)
		}
		isHarmless(t, strings.Join(words, "|")+" on standard error", errs.String())
		switch {
		case slices.Contains(words, "--json"):
			if out.Len() > 0 && !json.Valid(out.Bytes()) {
				t.Errorf("%q: no JSON: %s", words, out.String())
			}
			isHarmless(t, strings.Join(words, "|"), out.String())
		case !slices.Contains(words, "realserver-script"): // which quotes names for a shell
			isHarmless(t, strings.Join(words, "|"), out.String())
		}
	}
	good := []string{"tcp:10.1.0.1:80", "127.0.0.1:80", "drain", "0"}
	every := func() {
		for _, verb := range slices.Sorted(maps.Keys(commands)) {
			c := commands[verb]
			words, most := good[:min(c.Max, 2)], min(c.Max, len(good))
			for i := range most + 1 { // one more than the command takes
				odd := slices.Clone(good[:most])
				say(append([]string{path, verb}, slices.Insert(odd, i, wicked)[:max(most, i+1)]...)...)
			}
			if verb == "roll" {
				say(path, verb, words[1], "--", wicked)
				say(path, verb, "--state", filepath.Join(dir, wicked), words[1], "--", wicked)
				say(path, verb, "--state", filepath.Join(dir, wicked), words[1], "--", "false")
			}
			for _, name := range []string{"why", "until", "for", "report", "timeout", "lines", "watch",
				"json"} {
				if value := "--" + name + "=" + wicked; slices.Contains(c.Options, name) {
					say(slices.Concat([]string{path, verb}, words, []string{value})...)
				}
			}
			if slices.Contains(c.Options, "json") {
				say(slices.Concat([]string{path, verb}, words, []string{"--json"})...)
			}
			say(wicked, verb)
			say(path, verb, "--"+wicked)
		}
	}
	every()
	say(path, "start")
	for _, words := range [][]string{
		{path, "drain", "127.0.0.1", "--why", wicked}, {path, "status"}, {path, "status", "-v"},
		{path, "orders"}, {path, "why", "127.0.0.1"},
		{"--help", wicked}, {path, wicked}, {path}, {"--ipvs", wicked, path, "plan"},
		{"--log-format", wicked, path, "plan"},
		{"--rundir", filepath.Join(dir, "no"+wicked), path, "start"},
		{"--ipvs", "memory:" + dir + "/" + wicked, path, "status"},
	} {
		say(words...)
	}
	every()
	write(path, config+"\tnonsense = 1\n")
	say(path, "reload")
	say(path, "stop")
	os.Remove(path)
	every()
	log := testkit.Read(t, filepath.Join(dir, "log"))
	isHarmless(t, "the log", log)
}

// The same is true of every directive, with its section and without it.
func TestNoValueIsPrintedRaw(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ld.cf")
	for _, d := range parser.Directives() {
		for _, before := range []string{"", "virtual = 10.1.0.1:80\n\treal = 127.0.0.1:80 masq\n\t"} {
			value := strings.ReplaceAll(wicked, "\n", "\r")
			text := before + d.Name + " = /" + value + "\n" + before + d.Name + " = \"" + value + "\"\n"
			testkit.Write(t, path, text)
			for _, verb := range []string{"check", "plan", "status", "probe"} {
				var out bytes.Buffer
				argv := []string{"ldirectord", "--rundir", dir, "--ipvs", "memory", path, verb}
				runCommand(t.Context(), argv, &out, &out, instance.ConfigDirs{dir})
				isHarmless(t, verb+" of "+text, out.String())
			}
		}
	}
}
