package checker

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"
)

// maxMatchTime bounds one match, so that a pattern with catastrophic backtracking can't eat the
// machine. The engine's clock ticks each 100 ms: the real bound is up to 200 ms later.
const maxMatchTime = time.Second

// maxBacktrack bounds the engine's memory during one match, in slots of 8 bytes.
const maxBacktrack = 1 << 20

var errMatchTime = errors.New("matching took too long")

// matcher decides whether an answer is the one that `receive` asks for. It is safe for use by
// several goroutines.
type matcher struct {
	pattern string
	text    []byte // searched for when re is nil
	re      *regexp2.Regexp
}

// newMatcher compiles a Perl regular expression; the empty one matches everything. (In Perl itself
// it would mean the last successful pattern, which the reference avoids as well.)
func newMatcher(pattern string) (*matcher, error) {
	perl, err := translatePerl(pattern)
	if err != nil {
		return nil, err
	}
	if perl.plain {
		return &matcher{pattern: pattern, text: []byte(perl.text)}, nil
	}
	re, err := regexp2.Compile(perl.expr, regexp2.OptionMaxBacktrackingStackSize(maxBacktrack))
	if err != nil {
		return nil, fmt.Errorf("not supported: %w", err)
	}
	return &matcher{pattern: pattern, re: re}, nil
}

// matcher returns the matcher of a pattern, compiled once.
func (e *Env) matcher(pattern string) (*matcher, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m, ok := e.matchers[pattern]; ok {
		return m, nil
	}
	m, err := newMatcher(pattern)
	if err != nil {
		return nil, err
	}
	if e.matchers == nil {
		e.matchers = map[string]*matcher{}
	}
	e.matchers[pattern] = m
	return m, nil
}

// match reports whether the pattern matches anywhere in the body. It gives up with an error after
// limit, or maxMatchTime if that is less.
func (m *matcher) match(body []byte, limit time.Duration) (bool, error) {
	if m.re == nil {
		return bytes.Contains(body, m.text), nil
	}
	return m.search(body, limit, (*regexp2.Regexp).MatchRunes)
}

// find returns where the first match begins and ends. Its limit is that of match.
func (m *matcher) find(body []byte, limit time.Duration) (begin, end int, ok bool, err error) {
	if m.re == nil {
		begin = bytes.Index(body, m.text)
		return begin, begin + len(m.text), begin >= 0, nil
	}
	ok, err = m.search(body, limit, func(re *regexp2.Regexp, runes []rune) (bool, error) {
		found, err := re.FindRunesMatch(runes)
		if found != nil {
			begin, end = found.RuneIndex, found.RuneIndex+found.RuneLength
		}
		return found != nil, err
	})
	return begin, end, ok, err
}

// search lets the engine search a body within a limit.
func (m *matcher) search(body []byte, limit time.Duration, by func(*regexp2.Regexp, []rune) (bool, error)) (bool, error) {
	runes := latin1(body)
	defer releaseRunes(runes)
	re := *m.re // for a time limit of our own; what it points to is shared
	re.MatchTimeout = min(max(limit, 0), maxMatchTime)
	begin := time.Now()
	ok, err := by(&re, *runes)
	if err != nil && time.Since(begin) < re.MatchTimeout/2 && !errors.Is(err, regexp2.ErrBacktrackingStackLimit) {
		ok, err = by(&re, *runes) // on a starved machine the engine's clock may jump
	}
	switch {
	case errors.Is(err, regexp2.ErrBacktrackingStackLimit):
		return false, errors.New("matching needs too much memory")
	case err != nil:
		return false, errMatchTime
	}
	return ok, nil
}

// String is the pattern as a message shows it.
func (m *matcher) String() string { return "/" + escape(m.pattern, maxExcerpt) + "/" }

// maxPooledRunes keeps the buffers of rare huge answers out of the pool.
const maxPooledRunes = 64 << 10

var runePool = sync.Pool{New: func() any { return new([]rune) }}

// latin1 returns one rune per byte, in a buffer of the pool.
func latin1(body []byte) *[]rune {
	buf := runePool.Get().(*[]rune)
	runes := (*buf)[:0]
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
