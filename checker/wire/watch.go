package wire

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"ldirectord/checker/transcript"
)

// Watch is the context of a check that wants to know when its stages were done. Libraries may read in goroutines that
// outlive the check.
type Watch struct {
	context.Context
	began time.Time
	done  [Marks]atomic.Uint32 // as Stages
	Tape  *transcript.Tape     // nil: the conversation is not kept
	ends  atomic.Int64         // as Result.CertEnd
}

// Watching returns the context of a check that begins.
func Watching(ctx context.Context) *Watch {
	tape, _ := ctx.Value(tapeKey{}).(*transcript.Tape)
	return &Watch{Context: ctx, began: time.Now(), Tape: tape}
}

// WatchingOn is watching for a check that has begun.
func WatchingOn(ctx context.Context, began time.Time, done Stages) *Watch {
	w := &Watch{Context: ctx, began: began}
	for m, after := range done {
		w.done[m].Store(after)
	}
	return w
}

// WatchOf is that of a check which runs with a context; nil without one.
func WatchOf(ctx context.Context) *Watch {
	w, _ := ctx.(*Watch)
	return w
}

// Mark notes that a stage is done. Only its first end counts.
func (w *Watch) Mark(m Mark) {
	if w != nil && w.done[m].Load() == 0 {
		w.done[m].Store(micros(time.Since(w.began)))
	}
}

// said takes down what one side said, which is the end of a stage.
func (w *Watch) said(kind transcript.Kind, on net.Conn, p []byte, m Mark) {
	if w != nil && len(p) > 0 {
		w.Mark(m)
		w.Tape.Say(kind, on, p)
	}
}

func (w *Watch) IsTaped() bool { return w != nil && w.Tape != nil }

// Remark takes down what the check itself has to say.
func (w *Watch) Remark(format string, args ...any) {
	if w.IsTaped() {
		w.Tape.Say(transcript.Note, nil, fmt.Appendf(nil, format, args...))
	}
}

// certified notes when the server's certificate ends: that of the first server, where a redirect leads to others.
func (w *Watch) certified(t *tls.Conn) {
	if shown := t.ConnectionState().PeerCertificates; w != nil && len(shown) > 0 {
		w.ends.CompareAndSwap(0, shown[0].NotAfter.Unix())
	}
}

// Seen is what the check has done until now, when the server's certificate ends, and how long that took.
func (w *Watch) Seen() (done Stages, certEnd int64, took time.Duration) {
	for m := range w.done {
		done[m] = w.done[m].Load()
	}
	return done, w.ends.Load(), time.Since(w.began)
}

// Taped lets checks that are made with a context take down what is said.
func Taped(ctx context.Context, t *transcript.Tape) context.Context {
	return context.WithValue(ctx, tapeKey{}, t)
}

type tapeKey struct{}
