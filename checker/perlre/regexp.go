// Package perlre matches Perl's regular expressions (perlre(1), Perl 5.36) against bytes, as Perl does. A pattern that
// has the same meaning in Go's own engine runs there, in time linear in the length of the text. Other patterns (such as
// those with look-around or back-references) need an engine that backtracks, within a budget of processor time.
package perlre

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

const (
	// maxBacktrack bounds the backtracking engine's memory during one match, in slots of 8 bytes; maxDeep does so
	// for a pattern from Deep. A repeat such as (?:(?!ERROR).)* takes five slots for each byte of a text.
	maxBacktrack, maxDeep = 1 << 20, 8 << 20
	// maxProgram bounds the number of instructions of a pattern compiled for Go's engine. The time of a match grows
	// with this number, and with the length of the text.
	maxProgram = 4 << 10
	// lightWork is how much work a match may do without a budget: bytes of text times instructions. It takes a few
	// milliseconds at most.
	lightWork = 1 << 20
)

// ErrBudget means that a match was given up because it took too long.
var ErrBudget = errors.New("matching took too long")

// memoryError means that a match needs more memory than the engine may use. It is an ErrBudget.
type memoryError struct{}

func (memoryError) Error() string { return "matching needs too much memory" }

func (memoryError) Is(target error) bool { return target == ErrBudget }

// forGo and backtracking rewrite the constructs that the respective engine reads differently from Perl. For Go's
// engine, only \Z captures anything: the newline at the end of the text. The other engine's own ^ under (?m) would also
// match after that newline. inLine replaces backtracking in CompileInLine.
var (
	forGo        = strings.NewReplacer("(?", "(?", "(", "(?:", `\Z`, `(?:(\n?)\z)`)
	backtracking = strings.NewReplacer(`\Z`, `(?=\n?\z)`, `(?m:^)`, `(?:\A|(?<=\n)(?!\z))`)
	inLine       = strings.NewReplacer(`\Z`, `(?=\n?\z)`, `(?m:^)`, `(?:(?<=\n)(?!\z))`)
)

// midLine is a rune that Go's engine reads before a text that begins in the middle of a line. No byte is this rune.
const midLine = beyond

// Regexp is a compiled pattern. Several goroutines may use it at once.
type Regexp struct {
	needs  []string       // texts that every match contains, in this order; without an engine, the whole pattern
	linear *regexp.Regexp // Go's engine, if the pattern means the same to it
	weight int            // how many instructions of that engine each byte of a text may cost
	before int            // how many runes that engine reads before the text: 0, or 1 for midLine
	back   *regexp2.Regexp
}

// Compile reads a pattern. The empty pattern matches everything. (In Perl itself it would mean the last pattern that
// matched.)
func Compile(pattern string) (*Regexp, error) { return compile(pattern, false) }

// CompileInLine reads a pattern for texts that begin in the middle of a line. At the beginning of such a text, \A
// matches but ^ under (?m) does not.
func CompileInLine(pattern string) (*Regexp, error) { return compile(pattern, true) }

func compile(pattern string, isInLine bool) (*Regexp, error) {
	all, err := scan(pattern)
	if err != nil {
		return nil, err
	}
	r := &Regexp{needs: all.needs}
	if all.plain {
		return r, nil
	}
	text, forBack, odd := forGo.Replace(all.text), backtracking, all.odd || all.begins
	if isInLine && strings.Contains(text, `(?m:^)`) {
		odd = odd || strings.Contains(text, `\A`) // which does not match after midLine
		text = fmt.Sprintf(`\A%c(?s:.*?)(%s)`, midLine, text)
		r.before, forBack = 1, inLine
	}
	if !odd && r.compileLinear(text) {
		return r, nil
	}
	r.back, err = compileBack(forBack.Replace(all.text), maxBacktrack)
	if err != nil {
		return nil, fmt.Errorf("not supported: %w", err)
	}
	return r, nil
}

func compileBack(text string, slots int) (*regexp2.Regexp, error) {
	return regexp2.Compile(text, regexp2.RE2, regexp2.OptionMaxBacktrackingStackSize(slots))
}

// Deep returns the pattern for a search with eight times as much memory: 64 MiB, and half as much again while it grows.
// Only one such search should run at a time.
func (r *Regexp) Deep() *Regexp {
	if r.back == nil {
		return r
	}
	deep := *r
	deep.back, _ = compileBack(r.back.String(), maxDeep) // the same text compiled before, so there is no error
	return &deep
}

func (r *Regexp) compileLinear(text string) (ok bool) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil { // a repeat in the pattern exceeds the engine's limit
		return false
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > maxProgram {
		return false
	}
	r.linear, r.weight = regexp.MustCompile(text), len(program.Inst)
	return true
}

// Heavy reports whether searching a text may take so long that the search needs a budget.
func (r *Regexp) Heavy(text []byte) bool { return (r.back != nil || !r.light(text)) && r.worth(text) }

func (r *Regexp) light(text []byte) bool { return len(text)*r.weight <= lightWork }

// worth reports whether a text contains, in order, all strings that a match must contain.
func (r *Regexp) worth(text []byte) (found bool) {
	for _, need := range r.needs {
		if _, text, found = bytes.Cut(text, []byte(need)); !found {
			return false
		}
	}
	return true
}

// Match reports whether the pattern matches anywhere in a text. It gives up a Heavy search with ErrBudget once the
// search has used roughly the processor time in budget. It adds the processor time used to spent, except perhaps for a
// search that is not Heavy.
func (r *Regexp) Match(text []byte, budget time.Duration, spent *time.Duration) (ok bool, err error) {
	switch {
	case !r.worth(text):
		return false, nil
	case r.back != nil:
		at, err := backtrack(r.back, text, budget, spent)
		return at != nil, err
	case r.linear == nil:
		return true, nil
	case r.before == 0 && r.light(text) && isASCII(text): // one rune per byte already
		return r.linear.Match(text), nil
	}
	err = r.inTime(text, budget, spent, func(runes io.RuneReader) { ok = r.linear.MatchReader(runes) })
	return ok, err
}

func isASCII(text []byte) bool { return utf8.RuneCount(text) == len(text) && utf8.Valid(text) }

// Find returns the beginning and the end of the first match, or nil if there is none. It uses budget and spent as Match
// does.
func (r *Regexp) Find(text []byte, budget time.Duration, spent *time.Duration) (at []int, err error) {
	switch {
	case !r.worth(text):
		return nil, nil
	case r.back != nil:
		return backtrack(r.back, text, budget, spent)
	case r.linear == nil:
		all := strings.Join(r.needs, "")
		begin := bytes.Index(text, []byte(all))
		return []int{begin, begin + len(all)}, nil
	}
	err = r.inTime(text, budget, spent, func(runes io.RuneReader) { at = r.linear.FindReaderSubmatchIndex(runes) })
	if at == nil || err != nil { // a match found in only a part of the text may not be the first
		return nil, err
	}
	at = at[2*r.before:] // if midLine was read, the first group, because the whole match includes midLine
	for i := 2; i < len(at); i += 2 {
		if at[i] >= 0 { // the match ends before the final newline that \Z captured
			at[1] = at[i]
		}
	}
	return []int{at[0] - r.before, at[1] - r.before}, nil
}

// inTime makes Go's engine search a text, and ends the search with ErrBudget when the budget is spent.
func (r *Regexp) inTime(text []byte, budget time.Duration, spent *time.Duration, search func(io.RuneReader)) error {
	clock := startClock()
	defer clock.stop(spent)
	reader := byteReader{before: r.before, rest: text, over: func() bool { return clock.read() > budget }}
	search(&reader)
	if reader.cut {
		return ErrBudget
	}
	return nil
}

// byteReader reads a text with one rune per byte. The text ends early when over returns true.
type byteReader struct {
	before int // how often midLine is read first
	rest   []byte
	over   func() bool // called every readsPerLook bytes
	cut    bool
}

// readsPerLook is how many bytes are read between two calls of over.
const readsPerLook = 4 << 10

// ReadRune implements io.RuneReader.
func (r *byteReader) ReadRune() (rune, int, error) {
	if r.before > 0 {
		r.before--
		return midLine, 1, nil
	}
	if len(r.rest)%readsPerLook == readsPerLook-1 && r.over() {
		r.rest, r.cut = nil, true
	}
	if len(r.rest) == 0 {
		return 0, 0, io.EOF
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return runeOf(b), 1, nil
}

// maxAttempts bounds how often a match is attempted. Each attempt gets twice as much time as the attempt before.
const maxAttempts = 5

// backtrack lets the backtracking engine search a text, with one rune per byte. The engine itself measures only
// wall-clock time, which also passes while other threads have the processor. If the engine gives up before it has used
// three quarters of the budget, backtrack begins again.
func backtrack(re *regexp2.Regexp, text []byte, budget time.Duration, spent *time.Duration) (at []int, err error) {
	if budget <= 0 {
		return nil, ErrBudget
	}
	runes := runesOf(text)
	clock := startClock()
	defer clock.stop(spent)
	bounded := *re // a copy with a time limit of its own; what it points to is shared
	bounded.MatchTimeout = budget
	for range maxAttempts {
		begin := clock.read()
		found, err := bounded.FindAllRunesIndex(runes, 1)
		switch {
		case err == nil:
			return slices.Concat(found...), nil
		case errors.Is(err, regexp2.ErrBacktrackingStackLimit):
			return nil, memoryError{}
		case clock.read()-begin >= budget*3/4:
			return nil, ErrBudget
		}
		bounded.MatchTimeout *= 2
	}
	return nil, ErrBudget
}
