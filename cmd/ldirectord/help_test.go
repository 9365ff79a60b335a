package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ldirectord/internal/testkit"
)

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

// The text on --help names the topics, and each of them has a text.
func TestEachTopicHasHelp(t *testing.T) {
	_, named, _ := strings.Cut(strings.Join(strings.Fields(optionsText), " "), "The topics are ")
	named, _, _ = strings.Cut(strings.Replace(named, " and ", ", ", 1), ".")
	testkit.Equal(t, named, strings.Join(topics, ", "), "the topics of --help")
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
