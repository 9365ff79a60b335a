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
	"sync"
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

// Regexp is a compiled pattern. It is safe for use by several goroutines.
type Regexp struct {
	needs  needs
	text   []byte // all there is, when both engines are nil
	linear *linear
	back   *regexp2.Regexp
	danger *danger
}

// Compile reads a pattern. The empty one matches everything. (In Perl itself it would mean the last successful
// pattern.)
func Compile(pattern string) (*Regexp, error) {
	tree, groups, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	if text, ok := plain(tree); ok {
		return &Regexp{text: text}, nil
	}
	r := &Regexp{needs: needsOf(tree), linear: newLinear(tree)}
	if r.linear != nil && r.linear.exact {
		return r, nil
	}
	r.back, err = regexp2.Compile(backtrackingNotation(tree, groups), regexp2.OptionMaxBacktrackingStackSize(maxBacktrack))
	if err != nil {
		return nil, fmt.Errorf("not supported: %w", err)
	}
	if r.linear == nil {
		r.danger = findDanger(tree)
	}
	return r, nil
}

// Explodes tells where a pattern has what may take a backtracking engine forever on a text that nearly
// matches: the place in the pattern, counted in bytes from 0, and why.
func (r *Regexp) Explodes() (pos int, why string, ok bool) {
	if r.danger == nil {
		return 0, "", false
	}
	return r.danger.pos, r.danger.why, true
}

// Heavy reports whether to search a text may take so long that a budget is needed for it.
func (r *Regexp) Heavy(text []byte) bool {
	if r.plain() || !r.needs.in(text) {
		return false
	}
	return r.linear == nil || len(text)*r.linear.weight > lightWork
}

func (r *Regexp) plain() bool { return r.linear == nil && r.back == nil }

// Match reports whether the pattern matches anywhere in a text. What is Heavy ends with ErrBudget after about
// so much processor time; how much it took is added to spent.
func (r *Regexp) Match(text []byte, budget time.Duration, spent *time.Duration) (ok bool, err error) {
	switch {
	case r.plain():
		return bytes.Contains(text, r.text), nil
	case !r.needs.in(text):
		return false, nil
	case r.linear != nil:
		return r.linear.match(text, budget, spent)
	}
	err = backtrack(r.back, text, budget, spent, func(re *regexp2.Regexp, runes []rune) (err error) {
		ok, err = re.MatchRunes(runes)
		return err
	})
	return ok, err
}

// Find returns where the first match begins and ends. Its budget is that of Match.
func (r *Regexp) Find(text []byte, budget time.Duration, spent *time.Duration) (begin, end int, ok bool, err error) {
	if r.plain() {
		begin = bytes.Index(text, r.text)
		return begin, begin + len(r.text), begin >= 0, nil
	}
	if r.linear != nil && r.linear.exact && r.needs.in(text) {
		return r.linear.find(text, budget, spent)
	}
	if ok, err = r.Match(text, budget, spent); !ok || err != nil {
		return 0, 0, false, err
	}
	err = backtrack(r.back, text, budget, spent, func(re *regexp2.Regexp, runes []rune) error {
		found, err := re.FindRunesMatch(runes)
		if ok = found != nil; ok {
			begin, end = found.RuneIndex, found.RuneIndex+found.RuneLength
		}
		return err
	})
	return begin, end, ok, err
}

// match searches a text. A text of ASCII only is one rune per byte already.
func (l *linear) match(text []byte, budget time.Duration, spent *time.Duration) (ok bool, err error) {
	if len(text)*l.weight <= lightWork && isASCII(text) {
		return l.re.Match(text), nil
	}
	err = l.read(text, budget, spent, func(runes io.RuneReader) { ok = l.re.MatchReader(runes) })
	return ok, err
}

func (l *linear) find(text []byte, budget time.Duration, spent *time.Duration) (begin, end int, ok bool, err error) {
	var at []int
	err = l.read(text, budget, spent, func(runes io.RuneReader) { at = l.re.FindReaderIndex(runes) })
	if at == nil || err != nil {
		return 0, 0, false, err
	}
	return at[0], at[1], true, nil
}

// read has the engine read a text byte by byte, and ends the text when the budget is spent.
func (l *linear) read(text []byte, budget time.Duration, spent *time.Duration, search func(io.RuneReader)) error {
	if len(text)*l.weight <= lightWork {
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

// backtrack lets the backtracking engine search a text. The engine knows no clock but the machine's, which also
// runs while others have the processor: when it has given up before most of the budget was spent, it begins again.
func backtrack(re *regexp2.Regexp, text []byte, budget time.Duration, spent *time.Duration, search func(*regexp2.Regexp, []rune) error) error {
	if budget <= 0 {
		return ErrBudget
	}
	runes := latin1(text)
	defer releaseRunes(runes)
	clock := startClock()
	defer func() { *spent += clock.stop() }()
	bounded := *re // for a time limit of our own; what it points to is shared
	bounded.MatchTimeout = budget
	for range maxAttempts {
		begin := clock.read()
		err := search(&bounded, *runes)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, regexp2.ErrBacktrackingStackLimit):
			return errMemory
		case clock.read()-begin >= budget*3/4:
			return ErrBudget
		}
		bounded.MatchTimeout *= 2
	}
	return ErrBudget
}

// maxPooledRunes keeps the buffers of rare huge texts out of the pool.
const maxPooledRunes = 64 << 10

var runePool = sync.Pool{New: func() any { return new([]rune) }}

// latin1 returns one rune per byte, in a buffer of the pool.
func latin1(body []byte) *[]rune {
	buf := runePool.Get().(*[]rune)
	runes := (*buf)[:0]
	if cap(runes) < len(body) {
		runes = make([]rune, 0, len(body))
	}
	for _, b := range body {
		runes = append(runes, rune(b))
	}
	*buf = runes
	return buf
}

func releaseRunes(buf *[]rune) {
	if cap(*buf) <= maxPooledRunes {
		runePool.Put(buf)
	}
}
