package daemon

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"ldirectord/checker/transcript"
	"ldirectord/director"
	"ldirectord/parser"
)

const (
	traceDefault = "60s"     // how long a trace lasts
	maxTrace     = 24 * 3600 // in seconds
	traceQueue   = 16        // checks that wait for its reader at most
)

// trace is one that somebody reads.
type trace struct {
	texts chan string   // of checks
	lost  atomic.Int64  // checks that the reader was too slow for, and was not told of
	ended chan struct{} // closed when there are no more checks
}

func newTrace() *trace {
	return &trace{texts: make(chan string, traceQueue), ended: make(chan struct{})}
}

// answerTrace answers with what is said in the checks of a server, for a time, or as long as somebody reads it. Root
// alone may: pages may be confidential.
func (d *daemon) answerTrace(w http.ResponseWriter, r *http.Request) {
	if clientOf(r).uid != 0 {
		http.Error(w, "root alone may read what is said", http.StatusForbidden)
		return
	}
	words := r.URL.Query()
	span := cmp.Or(words.Get("for"), traceDefault)
	last, unit, ok := parser.ParseSeconds(span)
	if !ok || unit == "" || last <= 0 || last > maxTrace {
		http.Error(w, fmt.Sprintf("%q is not a time for a trace: 90s, 30m, 2h or 1d are, up to 1d", span),
			http.StatusConflict)
		return
	}
	s := newTrace()
	t := &director.Trace{Virtual: words.Get("virtual"), Real: words.Get("server"), Take: s.take,
		End: func() { close(s.ended) }}
	ctx, cancel := context.WithTimeout(r.Context(), handlerTimeout)
	defer cancel()
	defer d.director.EndTrace(t)
	if err := d.director.Trace(ctx, t); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	s.stream(r.Context(), w, fmt.Sprintf("checks of %s of %s for %s\n", t.Real, t.Virtual, span), last.Duration())
}

// take keeps a check for the reader.
func (s *trace) take(check string, tape *transcript.Tape) {
	select {
	case s.texts <- fmt.Sprintf("%s %s\n%s", time.Now().Format(time.DateTime), check, tape):
	default:
		s.lost.Add(1)
	}
}

// stream writes what is taken until the trace ends, or its reader.
func (s *trace) stream(ctx context.Context, w http.ResponseWriter, text string, last time.Duration) {
	reader := http.NewResponseController(w)
	_ = reader.SetReadDeadline(time.Time{}) // a socket can
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	ctx, cancel := context.WithTimeout(ctx, last)
	defer cancel()
	for more := true; ; {
		if lost := s.lost.Swap(0); lost > 0 {
			text += fmt.Sprintf("%d checks are left out: they came faster than they were read\n", lost)
		}
		_ = reader.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := w.Write([]byte(text)); err != nil || reader.Flush() != nil || !more {
			return
		}
		select {
		case text = <-s.texts:
		case <-s.ended:
			text, more = "ended: the configuration has no check of this server\n", false
		case <-ctx.Done(): // or the reader has gone, who reads no more
			text, more = "", false
			if ctx.Err() == context.Canceled {
				text = "ended: the daemon ends\n"
			}
		}
	}
}
