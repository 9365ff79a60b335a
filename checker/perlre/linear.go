package perlre

import (
	"regexp"
	"regexp/syntax"
	"strings"
)

// maxProgram bounds a program for the engine of linear time, in instructions: its time is linear in them as well.
const maxProgram = 4 << 10

// linear is a pattern for the engine of linear time.
type linear struct {
	re     *regexp.Regexp
	weight int  // how much each byte of a text may cost: instructions
	exact  bool // not only whether, but where it matches is the same
}

// newLinear compiles a pattern for Go's own engine, if it means the same there to the last byte; else it is nil.
// The texts it is given have one rune per byte.
func newLinear(all part) *linear {
	if !all.alike || all.begins {
		return nil
	}
	text := strings.ReplaceAll(all.text, `\Z`, `(?:\n?\z)`)
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil { // it repeats more often than the engine allows
		return nil
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > maxProgram {
		return nil
	}
	return &linear{re: regexp.MustCompile(text), weight: len(program.Inst), exact: !all.shifts}
}
