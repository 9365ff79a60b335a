package checker

import (
	"context"
	"errors"
	"runtime"
	"time"

	"ldirectord/checker/perlre"
)

// What matching may cost. All matching of one check has one budget, in processor time; when that is spent it goes
// on with a larger one, one check at a time.
const (
	quickBudget    = 250 * time.Millisecond
	thoroughBudget = 2 * time.Second
	// maxRoomWait bounds how long a check waits for its turn.
	maxRoomWait = 30 * time.Second
	// largeBody is from which length on a body waits for its turn before it is read on, in bytes.
	largeBody = 64 << 10
	// largeBodies is how many such bodies are in memory at once.
	largeBodies = 16
)

// Matching is the room in which all checks search what servers say: it bounds the processors and the memory that
// they take together. Who finds it full waits, and the clock of its server stands still meanwhile.
type Matching struct {
	quick, thorough lane
	bodies          chan struct{}
}

// lane bounds how many texts are searched at once, and for how long each check may search.
type lane struct {
	places chan struct{}
	budget time.Duration
}

// NewMatching returns a room for the processors of this machine.
func NewMatching() *Matching {
	return &Matching{
		quick:    lane{make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), quickBudget},
		thorough: lane{make(chan struct{}, 1), thoroughBudget},
		bodies:   make(chan struct{}, largeBodies),
	}
}

// errUnjudged is an answer of which we can't tell whether it is the one that is wanted: the state stays.
var errUnjudged = errors.New("cannot be judged")

// enter waits for a place, and tells for how long.
func enter(ctx context.Context, places chan struct{}) (waited time.Duration, err error) {
	select {
	case places <- struct{}{}:
		return 0, nil
	default:
	}
	begin := time.Now()
	patience := time.NewTimer(maxRoomWait)
	defer patience.Stop()
	select {
	case places <- struct{}{}:
		return time.Since(begin), nil
	case <-ctx.Done():
		return time.Since(begin), errStopped
	case <-patience.C:
		return time.Since(begin), &fault{"cannot be judged: no turn for it in " + maxRoomWait.String() + ": too many answers are being matched", errUnjudged}
	}
}

func leave(places chan struct{}) { <-places }

// matcher decides whether an answer is the one that `receive` asks for. It is safe for use by several
// goroutines.
type matcher struct {
	pattern string
	re      *perlre.Regexp
	room    *Matching
}

// matcher returns the matcher of a pattern, compiled once.
func (e *Env) matcher(pattern string) (*matcher, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m, ok := e.matchers[pattern]; ok {
		return m, nil
	}
	re, err := perlre.Compile(pattern)
	if err != nil {
		return nil, err
	}
	if e.matchers == nil {
		e.matchers = map[string]*matcher{}
	}
	if e.Matching == nil {
		e.Matching = NewMatching()
	}
	m := &matcher{pattern: pattern, re: re, room: e.Matching}
	e.matchers[pattern] = m
	return m, nil
}

// match reports whether the pattern matches anywhere in a text, which is all that a check searches.
func (m *matcher) match(ctx context.Context, text []byte) (bool, error) {
	s := search{matcher: m}
	return s.match(ctx, text)
}

// String is the pattern as a message shows it.
func (m *matcher) String() string { return "/" + escape(m.pattern, maxExcerpt) + "/" }

// search is all matching of one check.
type search struct {
	*matcher
	spent    time.Duration // of the budget
	thorough bool          // the large one
	waited   time.Duration // for a turn: the server's clock stood still
}

func (s *search) match(ctx context.Context, text []byte) (ok bool, err error) {
	err = s.bounded(ctx, text, func(budget time.Duration) (err error) {
		ok, err = s.re.Match(text, budget, &s.spent)
		return err
	})
	return ok, err
}

// find returns where the first match begins and ends.
func (s *search) find(ctx context.Context, text []byte) (begin, end int, ok bool, err error) {
	err = s.bounded(ctx, text, func(budget time.Duration) (err error) {
		begin, end, ok, err = s.re.Find(text, budget, &s.spent)
		return err
	})
	return begin, end, ok, err
}

// bounded matches a text within the budget of the check. What may take long waits for its turn; what takes longer
// is tried once more, alone. Then nobody knows.
func (s *search) bounded(ctx context.Context, text []byte, run func(budget time.Duration) error) error {
	if !s.re.Heavy(text) {
		return run(thoroughBudget)
	}
	if !s.thorough {
		err := s.turn(ctx, s.room.quick, run)
		if !errors.Is(err, perlre.ErrBudget) {
			return err
		}
		s.spent, s.thorough = 0, true
	}
	err := s.turn(ctx, s.room.thorough, run)
	if errors.Is(err, perlre.ErrBudget) {
		return &fault{"cannot be judged: " + err.Error() + " with " + s.String(), errUnjudged}
	}
	return err
}

// turn matches as soon as there is a place.
func (s *search) turn(ctx context.Context, l lane, run func(budget time.Duration) error) error {
	waited, err := enter(ctx, l.places)
	s.waited += waited
	if err != nil {
		return err
	}
	defer leave(l.places)
	return run(l.budget - s.spent)
}

// pause is for how long the server's clock stood still since the last call.
func (s *search) pause() time.Duration {
	waited := s.waited
	s.waited = 0
	return waited
}
