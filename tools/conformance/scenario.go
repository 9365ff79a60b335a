package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// scenario is a file of steps: what is done, and what is then seen.
type scenario struct {
	name, path string
	differs    string // why we differ from the Perl ldirectord on purpose; empty where we don't
	steps      []step
	lines      []string // the file's, for recording
}

// step is a line of a scenario with what belongs to it.
type step struct {
	number int      // of its line, from 1
	last   int      // number of its last line, without the expected ones
	verb   string   // first word
	rest   string   // what follows, as written
	block  []string // lines with |: the text of a file or a script
	want   []string // lines with >: what the Perl ldirectord shows
	ours   []string // lines with ours>: what we show, where that differs
	split  bool     // has lines with ours>
}

// expected is what a binary must show; nil where the scenario leaves it to the step's usual.
func (s step) expected(b program) []string {
	if s.split && !b.Reference {
		return s.ours
	}
	return s.want
}

func readScenario(path string) (*scenario, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	sc := &scenario{name: strings.TrimSuffix(filepath.Base(path), ".txt"), path: path}
	if err := sc.parse(string(text)); err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return sc, nil
}

func (sc *scenario) parse(text string) error {
	sc.lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range sc.lines {
		number := i + 1
		if reason, ok := strings.CutPrefix(line, "differs: "); ok {
			sc.differs = reason
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		mark, text, marked := continuation(line)
		if !marked {
			verb, rest, _ := strings.Cut(line, " ")
			if acts[verb] == nil && looks[verb] == nil {
				return fmt.Errorf("%d: unknown step %q", number, verb)
			}
			sc.steps = append(sc.steps, step{number: number, last: number, verb: verb, rest: rest})
			continue
		}
		if len(sc.steps) == 0 {
			return fmt.Errorf("%d: no step before it", number)
		}
		sc.steps[len(sc.steps)-1].add(mark, text, number)
	}
	if sc.differs == "" && slices.ContainsFunc(sc.steps, func(s step) bool { return s.split }) {
		return fmt.Errorf("1: has lines with ours>, but no line that says how it differs")
	}
	return nil
}

// has reports whether a scenario has a step of a kind.
func (sc *scenario) has(verb string) bool {
	return slices.ContainsFunc(sc.steps, func(s step) bool { return s.verb == verb })
}

// continuation reports whether a line belongs to the step above it, and how.
func continuation(line string) (mark, text string, ok bool) {
	for _, mark := range []string{"|", ">", "ours>"} {
		if text, ok := strings.CutPrefix(line, mark); ok {
			return mark, strings.TrimPrefix(text, " "), true
		}
	}
	return "", "", false
}

func (s *step) add(mark, text string, number int) {
	switch mark {
	case "|":
		s.block, s.last = append(s.block, text), number
	case ">":
		s.want = append(s.want, text)
	case "ours>":
		s.split = true
		if text != "" { // a bare mark: nothing is seen
			s.ours = append(s.ours, text)
		}
	}
}

// recorded is the scenario's text with what was seen, by number of the step's line.
func (sc *scenario) recorded(seen map[int][]string) string {
	after := map[int][]string{}
	for _, s := range sc.steps {
		after[s.last] = seen[s.number]
	}
	var text strings.Builder
	for i, line := range sc.lines {
		if mark, _, _ := continuation(line); mark != ">" {
			text.WriteString(line + "\n")
		}
		for _, l := range after[i+1] {
			text.WriteString("> " + l + "\n")
		}
	}
	return text.String()
}

// words splits as a shell does: blanks separate, quotes of both kinds hold together.
func words(text string) ([]string, error) {
	var out []string
	var word strings.Builder
	open, inside := rune(0), false
	for _, c := range text {
		switch {
		case open != 0 && c == open:
			open = 0
		case open != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			open, inside = c, true
		case c == ' ' || c == '\t':
			if inside {
				out = append(out, word.String())
			}
			word.Reset()
			inside = false
		default:
			word.WriteRune(c)
			inside = true
		}
	}
	if open != 0 {
		return nil, fmt.Errorf("a quote is not closed: %s", text)
	}
	if inside {
		out = append(out, word.String())
	}
	return out, nil
}
