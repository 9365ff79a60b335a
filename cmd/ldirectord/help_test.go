package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"ldirectord/internal/testkit"
)

// inNeed is what a text for users must name.
type inNeed struct{ commands, options, topics bool }

// Each text for users names every command, option and topic that the program has.
func TestEachTextNamesEveryCommandAndOption(t *testing.T) {
	for path, of := range map[string]inNeed{
		"help/short.txt":                             {commands: true, topics: true},
		"help/commands.txt":                          {commands: true},
		"help/options.txt":                           {options: true},
		"../../docs/man/ldirectord.8":                {commands: true, options: true, topics: true},
		"../../packaging/completion/ldirectord.bash": {commands: true, options: true, topics: true},
	} {
		text := testkit.Read(t, path)
		var words []string
		if of.commands {
			words = append(words, slices.Sorted(maps.Keys(commands))...)
		}
		if of.options {
			new(options).flags().VisitAll(func(f *pflag.Flag) {
				if !f.Hidden {
					words = append(words, "--"+f.Name)
				}
			})
		}
		if of.topics {
			words = append(words, topics...)
		}
		plain := strings.NewReplacer(`\-`, "-", "Fl -", "--").Replace(text) // without the marks of mdoc
		for _, word := range words {
			if !regexp.MustCompile(`(^|[^-\w])` + word + `($|[^-\w])`).MatchString(plain) {
				t.Errorf("%s does not name %s", path, word)
			}
		}
	}
}

func TestTheManualNamesNoCommandThatIsNone(t *testing.T) {
	text := testkit.Read(t, "../../docs/man/ldirectord.8")
	_, chapter, _ := strings.Cut(text, "\n.Sh COMMANDS\n")
	chapter, _, _ = strings.Cut(chapter, "\n.Sh ")
	named := regexp.MustCompile(`(?m)^\.It Ic ([a-z-]+)`).FindAllStringSubmatch(chapter, -1)
	if len(named) != len(commands) {
		t.Errorf("the manual has %d commands, the program %d", len(named), len(commands))
	}
	for _, n := range named {
		if !isCommand(n[1]) {
			t.Errorf("the manual has the command %s", n[1])
		}
	}
}

func TestTheShortHelpFitsAScreen(t *testing.T) {
	var text strings.Builder
	testkit.OK(t, showHelp(&text, ""))
	lines := strings.Split(text.String(), "\n")
	if len(lines) > 24 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if len(line) > 90 {
			t.Errorf("too long: %s", line)
		}
	}
}

func TestEachTopicHasHelp(t *testing.T) {
	for _, topic := range topics {
		var text strings.Builder
		if err := showHelp(&text, topic); err != nil || text.Len() < 100 {
			t.Errorf("%s: %v, %d bytes", topic, err, text.Len())
		}
	}
	if err := showHelp(new(strings.Builder), "nonsense"); err == nil {
		t.Error("there is help on nonsense")
	}
}

func TestEachExitStatusIsExplained(t *testing.T) {
	for _, path := range []string{"help/exit.txt", "../../docs/man/ldirectord.8"} {
		text := testkit.Must(os.ReadFile(path))(t)
		for _, status := range []int{
			exitOK, exitFailure, exitConfig, exitStopped, exitUnknown, exitDiffer, exitUnreached,
			exitForegroundConfig, exitUsage,
		} {
			if !regexp.MustCompile(`(?m)^( +|\.It )` + strconv.Itoa(status) + `\b`).Match(text) {
				t.Errorf("%s does not explain %d", path, status)
			}
		}
	}
}
