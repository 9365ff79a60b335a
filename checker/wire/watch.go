package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"ldirectord/checker/transcript"
)

// Watch is the context of a check, and records the times of the check's stages. Libraries may use it in goroutines that
// outlive the check.
type Watch struct {
	context.Context
	began time.Time
	done  [Marks]atomic.Uint32 // as in Stages
	Tape  *transcript.Tape     // nil: the conversation is not recorded
	// the server's certificate; nil: none
	shown atomic.Pointer[x509.Certificate]
	kept  kept
}

// kept holds the beginning of an answer. It has no lock, so it is only for checks that use no library.
type kept struct {
	text []byte
	more int      // how many more bytes to keep
	from net.Conn // the first connection with an answer
}

// Watching returns the context of a new check.
func Watching(ctx context.Context) *Watch {
	tape, _ := ctx.Value(tapeKey{}).(*transcript.Tape)
	return &Watch{Context: ctx, began: time.Now(), Tape: tape}
}

// WatchingOn is Watching for a check that has already begun.
func WatchingOn(ctx context.Context, began time.Time, done Stages) *Watch {
	w := &Watch{Context: ctx, began: began}
	for m, after := range done {
		w.done[m].Store(after)
	}
	return w
}

// WatchOf returns the Watch of a context; nil if there is none.
func WatchOf(ctx context.Context) *Watch {
	w, _ := ctx.(*Watch)
	return w
}

// Mark notes that a stage is done. Only the first call for a stage counts.
func (w *Watch) Mark(m Mark) {
	if w != nil && w.done[m].Load() == 0 {
		w.done[m].Store(micros(time.Since(w.began)))
	}
}

// HasAnswer reports whether the server has sent anything.
func (w *Watch) HasAnswer() bool { return w != nil && w.done[MarkFirstByte].Load() > 0 }

// End returns the deadline of a check that may take timeout.
func (w *Watch) End(timeout time.Duration) time.Time {
	if w == nil {
		return time.Now().Add(timeout)
	}
	return w.began.Add(timeout)
}

// record notes data that one side sent, which completes the stage m.
func (w *Watch) record(kind transcript.Kind, on net.Conn, p []byte, m Mark) {
	if w != nil && len(p) > 0 {
		w.Mark(m)
		w.Tape.Say(kind, on, p)
		if w.kept.more > 0 && kind == transcript.Received {
			w.kept.add(on, p)
		}
	}
}

func (k *kept) add(from net.Conn, p []byte) {
	if k.from = cmp.Or(k.from, from); k.from == from {
		n := min(len(p), k.more)
		k.text, k.more = append(k.text, p[:n]...), k.more-n
	}
}

// Keep makes w keep the first bytes of the answer, from the first connection that has one.
func (w *Watch) Keep(bytes int) { w.kept.more = bytes }

// Kept returns the bytes kept.
func (w *Watch) Kept() []byte { return w.kept.text }

func (w *Watch) IsTaped() bool { return w != nil && w.Tape != nil }

// Remark records a remark by the check itself, if the check is taped.
func (w *Watch) Remark(format string, args ...any) {
	if w.IsTaped() {
		w.Tape.Say(transcript.Note, nil, fmt.Appendf(nil, format, args...))
	}
}

// certified notes the server's certificate; with redirects, the first server's.
func (w *Watch) certified(t *tls.Conn) {
	if shown := t.ConnectionState().PeerCertificates; w != nil && len(shown) > 0 {
		w.shown.CompareAndSwap(nil, shown[0])
	}
}

// Seen returns the stages so far, the server's certificate (nil for none), and the time since the start.
func (w *Watch) Seen() (done Stages, shown *x509.Certificate, took time.Duration) {
	for m := range w.done {
		done[m] = w.done[m].Load()
	}
	return done, w.shown.Load(), time.Since(w.began)
}

// Taped returns a context that makes checks record their conversations on t.
func Taped(ctx context.Context, t *transcript.Tape) context.Context {
	return context.WithValue(ctx, tapeKey{}, t)
}

type tapeKey struct{}
