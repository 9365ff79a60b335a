package checker

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"ldirectord/checker/transcript"
)

// watch is the context of a check that wants to know when its stages were done. Libraries may read in goroutines that
// outlive the check.
type watch struct {
	context.Context
	began time.Time
	done  [Marks]atomic.Uint32 // as Stages
	tape  *transcript.Tape     // nil: nobody wants to read what is said
	ends  atomic.Int64         // as Result.CertEnd
}

// watching returns the context of a check that begins.
func watching(ctx context.Context) *watch {
	tape, _ := ctx.Value(tapeKey{}).(*transcript.Tape)
	return &watch{Context: ctx, began: time.Now(), tape: tape}
}

// watchingOn is watching for a check that has begun.
func watchingOn(ctx context.Context, began time.Time, done Stages) *watch {
	w := &watch{Context: ctx, began: began}
	for m, after := range done {
		w.done[m].Store(after)
	}
	return w
}

// watchOf is that of a check which runs with a context; nil without one.
func watchOf(ctx context.Context) *watch {
	w, _ := ctx.(*watch)
	return w
}

// mark notes that a stage is done. Only its first end counts.
func (w *watch) mark(m Mark) {
	if w != nil && w.done[m].Load() == 0 {
		w.done[m].Store(micros(time.Since(w.began)))
	}
}

// said takes down what one side said, which is the end of a stage.
func (w *watch) said(kind transcript.Kind, on net.Conn, p []byte, m Mark) {
	if w != nil && len(p) > 0 {
		w.mark(m)
		w.tape.Say(kind, on, p)
	}
}

func (w *watch) isTaped() bool { return w != nil && w.tape != nil }

// remark takes down what the check itself has to say.
func (w *watch) remark(format string, args ...any) {
	if w.isTaped() {
		w.tape.Say(transcript.Note, nil, fmt.Appendf(nil, format, args...))
	}
}

// certified notes when the server's certificate ends: that of the first server, where a redirect leads to others.
func (w *watch) certified(t *tls.Conn) {
	if shown := t.ConnectionState().PeerCertificates; w != nil && len(shown) > 0 {
		w.ends.CompareAndSwap(0, shown[0].NotAfter.Unix())
	}
}

// seen is what the check has done until now, when the server's certificate ends, and how long that took.
func (w *watch) seen() (done Stages, certEnd int64, took time.Duration) {
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
