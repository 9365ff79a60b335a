// Package perlre matches Perl's regular expressions (perlre(1), Perl 5.36) over bytes as Perl does. A pattern
// that means the same to Go's own engine runs there, in a time that is linear in the text's length. The others
// (look-around, back-references, what takes without giving back) need an engine that backtracks, within a
// budget of processor time.
package perlre

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// maxBacktrack bounds the backtracking engine's memory during one match, in slots of 8 bytes.
const maxBacktrack = 1 << 20

// lightWork is how much work a match may be without a budget: bytes of text times instructions. It is some
// milliseconds at most.
const lightWork = 1 << 20

// ErrBudget is a match that was given up.
var ErrBudget = errors.New("matching took too long")

// errMemory is one that never fits into the engine's memory; it is a budget, too.
var errMemory = fmt.Errorf("matching needs too much memory: %w", ErrBudget)

// backtracking writes for the engine that backtracks what it reads in another way than Perl: its \b is that of Unicode,
// its ^ of (?m) is also after a newline that ends the text.
var backtracking = strings.NewReplacer(`(?m:^)`, `(?:\A|(?<=\n)(?!\z))`, `\b`, wordEdge(asciiWord, false),
	`\B`, wordEdge(asciiWord, true))

// Regexp is a compiled pattern. It is safe for use by several goroutines.
type Regexp struct {
	needs  []string // texts that every match contains, one after another; all there is without an engine
	linear *linear
	back   *regexp2.Regexp
	danger danger
}

// Compile reads a pattern. The empty one matches everything. (In Perl itself it would mean the last successful
// pattern.)
func Compile(pattern string) (*Regexp, error) {
	all, err := scan(pattern)
	if err != nil {
		return nil, err
	}
	r := &Regexp{needs: all.needs}
	if all.plain {
		return r, nil
	}
	r.linear = newLinear(all)
	if r.linear != nil && r.linear.exact {
		return r, nil
	}
	r.back, err = regexp2.Compile(backtracking.Replace(all.text),
		regexp2.OptionMaxBacktrackingStackSize(maxBacktrack))
	if err != nil {
		return nil, fmt.Errorf("not supported: %w", err)
	}
	if r.linear == nil {
		r.danger = all.danger
	}
	return r, nil
}

// Explodes tells where a pattern has what may take a backtracking engine forever on a text that nearly
// matches: the place in the pattern, counted in bytes from 0, and why.
func (r *Regexp) Explodes() (pos int, why string, ok bool) {
	return r.danger.pos, r.danger.why, r.danger.why != ""
}

// Heavy reports whether to search a text may take so long that a budget is needed for it.
func (r *Regexp) Heavy(text []byte) bool {
	if r.plain() || !r.worth(text) {
		return false
	}
	return r.linear == nil || !r.linear.light(text)
}

func (r *Regexp) plain() bool { return r.linear == nil && r.back == nil }

// worth reports whether a text has all that a match contains.
func (r *Regexp) worth(text []byte) bool {
	for _, need := range r.needs {
		at := bytes.Index(text, []byte(need))
		if at < 0 {
			return false
		}
		text = text[at+len(need):]
	}
	return true
}

// Match reports whether the pattern matches anywhere in a text. What is Heavy ends with ErrBudget after about
// so much processor time; how much it took is added to spent.
func (r *Regexp) Match(text []byte, budget time.Duration, spent *time.Duration) (ok bool, err error) {
	switch {
	case r.linear == nil:
		at, err := r.Find(text, budget, spent)
		return at != nil, err
	case !r.worth(text):
		return false, nil
	case r.linear.light(text) && isASCII(text): // it is one rune per byte already
		return r.linear.re.Match(text), nil
	}
	err = r.linear.read(text, budget, spent, func(runes io.RuneReader) { ok = r.linear.re.MatchReader(runes) })
	return ok, err
}

// Find returns where the first match begins and ends, or nil. Its budget is that of Match.
func (r *Regexp) Find(text []byte, budget time.Duration, spent *time.Duration) (at []int, err error) {
	switch {
	case !r.worth(text):
		return nil, nil
	case r.plain():
		all := strings.Join(r.needs, "")
		begin := bytes.Index(text, []byte(all))
		return []int{begin, begin + len(all)}, nil
	case r.linear == nil:
		return backtrack(r.back, text, budget, spent)
	case !r.linear.exact:
		if ok, err := r.Match(text, budget, spent); !ok || err != nil {
			return nil, err
		}
		return backtrack(r.back, text, budget, spent)
	}
	err = r.linear.read(text, budget, spent,
		func(runes io.RuneReader) { at = r.linear.re.FindReaderIndex(runes) })
	if err != nil { // what was found in a part may not be the first
		return nil, err
	}
	return at, nil
}

func (l *linear) light(text []byte) bool { return len(text)*l.weight <= lightWork }

// read has the engine read a text byte by byte, and ends the text when the budget is spent.
func (l *linear) read(text []byte, budget time.Duration, spent *time.Duration, search func(io.RuneReader)) error {
	if l.light(text) {
		search(&byteReader{rest: text})
		return nil
	}
	clock := startClock()
	defer func() { *spent += clock.stop() }()
	r := byteReader{rest: text, over: func() bool { return clock.read() > budget }}
	search(&r)
	if r.cut {
		return ErrBudget
	}
	return nil
}

// byteReader is a text with one rune per byte.
type byteReader struct {
	rest []byte
	read int
	over func() bool // asked at each readsPerLook bytes; nil: there is no bound
	cut  bool        // the text was ended by over
}

// readsPerLook is how often over is asked.
const readsPerLook = 4 << 10

// ReadRune implements io.RuneReader.
func (r *byteReader) ReadRune() (rune, int, error) {
	if r.over != nil && r.read%readsPerLook == readsPerLook-1 {
		r.cut = r.cut || r.over()
	}
	if len(r.rest) == 0 || r.cut {
		return 0, 0, io.EOF
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	r.read++
	return rune(b), 1, nil
}

func isASCII(text []byte) bool {
	for _, b := range text {
		if b >= 0x80 {
			return false
		}
	}
	return true
}

// maxAttempts bounds how often a match is begun again. Each attempt has twice the time of the one before.
const maxAttempts = 5

// backtrack lets the backtracking engine search a text, one rune per byte. The engine knows no clock but the machine's,
// which also runs while others have the processor: when it has given up before most of the budget was spent, it begins
// again.
func backtrack(re *regexp2.Regexp, text []byte, budget time.Duration, spent *time.Duration) (at []int, err error) {
	if budget <= 0 {
		return nil, ErrBudget
	}
	runes := make([]rune, len(text))
	for i, b := range text {
		runes[i] = rune(b)
	}
	clock := startClock()
	defer func() { *spent += clock.stop() }()
	bounded := *re // for a time limit of our own; what it points to is shared
	bounded.MatchTimeout = budget
	for range maxAttempts {
		begin := clock.read()
		found, err := bounded.FindAllRunesIndex(runes, 1)
		switch {
		case err == nil:
			return slices.Concat(found...), nil
		case errors.Is(err, regexp2.ErrBacktrackingStackLimit):
			return nil, errMemory
		case clock.read()-begin >= budget*3/4:
			return nil, ErrBudget
		}
		bounded.MatchTimeout *= 2
	}
	return nil, ErrBudget
}
