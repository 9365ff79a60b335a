package protocol

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"time"

	"ldirectord/checker/perlre"
	"ldirectord/checker/wire"
)

// Limits on the cost of matching. The matching of a check has a budget of processor time. When the budget is spent, the
// check tries again with a larger one, and with more memory. Only one check at a time may do so.
const (
	quickBudget    = 250 * time.Millisecond
	thoroughBudget = 2 * time.Second
	// maxSlotWait limits how long a check waits for a slot.
	maxSlotWait = 30 * time.Second
	// largeBody is the length in bytes above which a body needs a slot.
	largeBody = 64 << 10
	// largeBodies is how many bodies longer than largeBody may be in memory at once. A server that hangs in the
	// middle of its page holds one until the timeout. If too few were allowed, further such servers would stay in
	// service, because a check without a slot proves nothing.
	largeBodies = 48
)

// Matching limits the processors and memory that all checks together use to search answers. A check may wait for a free
// slot. The wait is not part of the check's timeout.
type Matching struct {
	quick, thorough lane
	bodies          chan struct{}
}

// lane limits how many texts are searched at once, and how long each check may search.
type lane struct {
	slots  chan struct{}
	budget time.Duration
}

// NewMatching returns limits that suit the number of processors.
func NewMatching() *Matching {
	return &Matching{
		quick:    lane{make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), quickBudget},
		thorough: lane{make(chan struct{}, 1), thoroughBudget},
		bodies:   make(chan struct{}, largeBodies),
	}
}

var errNoTurn = wire.NewFault(wire.ErrUnjudged,
	"cannot be judged: other answers, long or slow to match, kept this one waiting for %v", maxSlotWait)

// acquireSlot waits for a free slot, and returns how long it waited.
func acquireSlot(ctx context.Context, slots chan struct{}) (waited time.Duration, err error) {
	select {
	case slots <- struct{}{}:
		return 0, nil
	default:
	}
	begin := time.Now()
	select {
	case slots <- struct{}{}:
		return time.Since(begin), nil
	case <-ctx.Done():
		return time.Since(begin), wire.ErrStopped
	case <-time.After(maxSlotWait):
		return time.Since(begin), errNoTurn
	}
}

// matcher decides whether a text matches the pattern of a directive, such as receive. Several goroutines may use it at
// once.
type matcher struct {
	pattern string
	re      *perlre.Regexp
	limits  *Matching
}

// match reports whether the pattern matches anywhere in a text, within a budget of its own.
func (m *matcher) match(ctx context.Context, text []byte) (bool, error) {
	s := search{ctx: ctx, matcher: m}
	return s.match(text)
}

// isHeavy reports whether searching a text may require a wait for a slot. Without a pattern there is no search.
func (m *matcher) isHeavy(text []byte) bool { return m != nil && m.re.Heavy(text) }

// String returns the pattern for messages.
func (m *matcher) String() string { return "/" + wire.Show(m.pattern) + "/" }

// search makes the searches of one check that share a budget.
type search struct {
	*matcher
	ctx      context.Context
	on       *wire.Conn    // waits for slots extend its deadline; nil: the whole answer has been read
	spent    time.Duration // of the budget
	thorough bool          // the larger budget applies
}

func (s *search) match(text []byte) (bool, error) {
	return inBudget(s, text, (*perlre.Regexp).Match)
}

// find returns the beginning and the end of the first match, or nil if there is none.
func (s *search) find(text []byte) ([]int, error) {
	return inBudget(s, text, (*perlre.Regexp).Find)
}

// engine is a method of perlre.Regexp.
type engine[T any] func(re *perlre.Regexp, text []byte, budget time.Duration, spent *time.Duration) (T, error)

// inBudget matches a text within the budget of the check. A search that exceeds the budget is tried once more, with the
// larger budget. If it exceeds that as well, the error is wire.ErrUnjudged.
func inBudget[T any](s *search, text []byte, run engine[T]) (found T, err error) {
	if !s.thorough {
		found, err = inTurn(s, s.limits.quick, text, run)
		if !errors.Is(err, perlre.ErrBudget) {
			return found, err
		}
		s.spent, s.thorough = 0, true
	}
	found, err = inTurn(s, s.limits.thorough, text, run)
	if errors.Is(err, perlre.ErrBudget) {
		err = wire.NewFault(wire.ErrUnjudged, "cannot be judged: %v with %s", err, s)
	}
	return found, err
}

// inTurn matches a text. If that may take long, inTurn waits for a free slot first.
func inTurn[T any](s *search, l lane, text []byte, run engine[T]) (found T, err error) {
	if !s.re.Heavy(text) {
		return run(s.re, text, l.budget, &s.spent)
	}
	waited, err := acquireSlot(s.ctx, l.slots)
	if err != nil {
		return found, err
	}
	defer func() { <-l.slots }()
	if err := s.on.Prolong(waited); err != nil {
		return found, err
	}
	re := s.re
	if s.thorough {
		re = re.Deep()
		defer release(text)
	}
	return run(re, text, l.budget-s.spent, &s.spent)
}

// release returns to the system the memory that the second try used for a long text. Otherwise the memory of several
// checks would add up. The engine keeps its memory in a sync.Pool, which only a second garbage collection clears.
func release(text []byte) {
	if len(text) > largeBody {
		runtime.GC()
		debug.FreeOSMemory()
	}
}
