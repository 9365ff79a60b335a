package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"ldirectord/internal/testkit"
)

// Every command takes the Perl ldirectord's options, and the options for its files, its table and its log.
func TestOptionsOfEveryCommand(t *testing.T) {
	words := strings.Fields("a b c d")
	for verb, c := range commands {
		for _, option := range strings.Fields("-d --debug --rundir=/tmp/x --ipvs=memory --log-format=json") {
			args := append([]string{option, "a.cf", verb}, words[:c.Min]...)
			if err := new(options).parse(args); err != nil {
				t.Errorf("%v: %v", args, err)
			}
		}
	}
}

// The table of options has exactly the options that the program takes.
func TestTheTableOfCommandsNamesEveryOption(t *testing.T) {
	var named []string
	rows := names(optionRows)
	for _, e := range optionRows {
		if e.chapter == everyCommand {
			named = append(named, e.name)
		}
		if new(options).flags().Lookup(e.name) == nil {
			t.Errorf("--%s has no value", e.name)
		}
	}
	for verb, c := range commands {
		if c.run == nil || !slices.IsSorted(c.Options) {
			t.Errorf("%s does nothing, or its options are not sorted", verb)
		}
		for _, option := range c.Options {
			if new(options).flags().Lookup(option) == nil {
				t.Errorf("%s: there is no --%s", verb, option)
			}
			named = append(named, option)
		}
	}
	new(options).flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && !(slices.Contains(rows, f.Name) && slices.Contains(named, f.Name)) {
			t.Errorf("no command has --%s, or it has no row", f.Name)
		}
	})
}

// Options in units, the init script, the agents, examples and documents are accepted by their commands.
func TestWhatOthersPassIsTaken(t *testing.T) {
	call := regexp.MustCompile(`(?:ldirectord|"\$program")((?: +[\w./:$%{}"@=\[\]-]*[\w/$%{}"@=\[\]-])+)`)
	useless := regexp.MustCompile(` has no --|unknown option`)
	seen := map[string]int{}
	for _, root := range []string{"../../packaging", "../../examples", "../../docs", "../../README.md"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, found := range call.FindAllStringSubmatch(strings.ReplaceAll(string(text), " 2>", " >"),
				-1) {
				words := strings.Fields(strings.ReplaceAll(found[1], `"`, ""))
				var o options
				err := o.parse(words)
				switch {
				case err == nil:
					seen[filepath.Base(filepath.Dir(path))]++
				case o.verb != "" && useless.MatchString(err.Error()):
					t.Errorf("%s: %s: %v", path, found[0], err)
				}
			}
			return err
		})
		testkit.OK(t, err)
	}
	if seen["systemd"] < 7 || seen["ocf"] < 4 || seen["keepalived"] < 2 || seen["docs"] < 50 {
		t.Errorf("too few were looked at: %v", seen)
	}
	for _, verb := range strings.Fields("start stop restart try-restart reload force-reload status") {
		if err := new(options).parse([]string{"/etc/ldirectord.cf", verb}); err != nil {
			t.Errorf("%s: %v", verb, err)
		}
	}
}
