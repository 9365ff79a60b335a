// Package webhook posts the states of virtual services to a URL. It does not interpret them.
package webhook

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"ldirectord/internal/notify"
)

// Pauses after failed tries. The pause doubles after each failure, from firstPause up to lastPause.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// Poster posts one state at a time. Only the latest state of each virtual service waits, so the queue is never longer
// than the number of services. If the receiver fails, Poster tries again. The daemon never waits for Poster.
type Poster struct {
	report func(notify.Event)
	client *http.Client
	tries  *notify.Tries
	wake   notify.Wake // ends the pause after a failure

	mu       sync.Mutex // guards what follows
	url      string     // "": nothing is posted
	latest   map[string]*state
	turns    []string // the keys of latest, in the order in which their states are posted
	busy     bool     // a goroutine works on the queue
	closed   bool
	stuck    bool // a try failed after Close
	failed   int  // tries since the last success
	refused  bool // the last try was refused: the receiver works, and may accept other states
	again    int  // states of latest that failed before
	reported bool // it was reported that the receiver fails
}

// state is the state of one virtual service.
type state struct {
	virtual string
	text    []byte
	tried   func()
	failed  bool
	url     string // to which it was posted last
}

// New returns a poster without a URL. It calls report when the receiver fails (PostFailed), and when the receiver works
// again (PostRecovered). The function report must not block or call the Poster. Close ends the poster.
func New(report func(notify.Event)) *Poster {
	return &Poster{report: report, client: newClient(), tries: notify.NewTries(), wake: notify.NewWake(),
		latest: map[string]*state{}}
}

// Set makes url the receiver, even for states that are already waiting. If url is "", nothing is posted.
func (p *Poster) Set(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if url == p.url {
		return
	}
	if p.reported {
		p.say(notify.PostRecovered, "", "is no longer used")
		p.wake.Up()
	}
	p.url, p.failed, p.refused, p.reported = url, 0, false, false
}

// Post queues the state of a virtual service, a JSON text. It replaces an older state of the same service that is still
// waiting. The function tried, if not nil, is called after the first try, or when a newer state replaces this one. It
// is called at once if nobody should wait for that try, for example because the receiver fails. tried must not block or
// call the Poster.
func (p *Poster) Post(virtual string, text []byte, tried func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if tried == nil {
		tried = func() {}
	}
	s := &state{virtual: virtual, text: text, tried: sync.OnceFunc(tried)}
	if p.closed || p.url == "" || p.failed > 0 && !p.refused {
		s.tried()
	}
	p.queue(s)
	if p.refused {
		p.wake.Up()
	}
}

// queue queues a state. If it replaces an older one, it takes that one's place, otherwise it goes to the end of the
// queue.
func (p *Poster) queue(s *state) {
	was := p.latest[s.virtual]
	if p.latest[s.virtual] = s; was == nil {
		p.turns = append(p.turns, s.virtual)
	} else if was.tried(); was.failed {
		p.again--
	}
	if s.failed {
		p.again++
	}
	if !p.busy && !p.closed {
		p.busy = true
		p.tries.Go(p.work)
	}
}

// Close posts the waiting states until a try fails or ctx is done. After a refusal it still tries the states that have
// not failed before. The error contains the number of states that were not posted.
func (p *Poster) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.tries.End(ctx)
	p.client.CloseIdleConnections()
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := len(p.latest); left > 0 {
		return fmt.Errorf("webhook %s: %d states were not posted", name(p.url), left)
	}
	return nil
}

// work posts states until none is waiting, or until a try fails after Close.
func (p *Poster) work() {
	for s := p.next(); s != nil; s = p.next() {
		if pause := p.settle(s, post(p.tries.Context, p.client, s.url, s.text)); pause > 0 {
			// directors that lost the same receiver must not all retry at the same moment
			p.tries.Pause(pause/2+rand.N(pause/2), p.wake)
		}
	}
}

// next returns the next state to post. If there is none, work must end.
func (p *Poster) next() *state {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.url == "" {
		for _, s := range p.latest {
			s.tried()
		}
		clear(p.latest)
		p.turns, p.again = nil, 0
	}
	if len(p.turns) == 0 || p.stuck {
		p.busy = false
		return nil
	}
	turn := 0
	if p.hasFresh() {
		turn = slices.IndexFunc(p.turns, func(virtual string) bool { return !p.latest[virtual].failed })
	}
	s := p.latest[p.turns[turn]]
	s.url = p.url
	p.turns = slices.Delete(p.turns, turn, turn+1)
	delete(p.latest, s.virtual)
	if s.failed {
		p.again--
	}
	return s
}

// hasFresh reports whether some waiting state has not failed before. Such states are posted first, so that a refused
// state does not delay the others.
func (p *Poster) hasFresh() bool { return len(p.latest) > p.again }

// settle records the result of a try, and returns the pause before the next one. It reports that the receiver works
// again once no failed state is waiting.
func (p *Poster) settle(s *state, err error) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.tried()
	if s.url != p.url {
		p.requeue(s)
		return 0
	}
	if err == nil {
		if p.failed, p.refused = 0, false; p.reported && p.again == 0 {
			p.reported = false
			p.say(notify.PostRecovered, "", "answers again")
		}
		return 0
	}
	what := "fails; trying again: "
	if p.closed {
		what = "fails: "
	}
	if p.failed++; !p.reported {
		p.reported = true
		p.say(notify.PostFailed, err.Error(), what+err.Error())
	}
	_, p.refused = err.(refusal)
	s.failed = true
	p.requeue(s)
	if p.refused && p.hasFresh() {
		return 0
	}
	p.stuck = p.closed
	return notify.Backoff(p.failed, firstPause, lastPause)
}

// requeue queues a state again, unless a newer state of the service is waiting.
func (p *Poster) requeue(s *state) {
	if p.latest[s.virtual] == nil {
		p.queue(s)
	}
}

func (p *Poster) say(kind notify.Kind, reason, what string) {
	p.report(notify.Event{Kind: kind, Reason: reason, Text: "webhook " + name(p.url) + " " + what})
}
