package daemon

import (
	"bytes"
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
	checks chan []byte
	lost   atomic.Int64 // checks that the reader was too slow for
	ended  chan string  // why it has ended
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
		http.Error(w, fmt.Sprintf("%q is not a time for a trace: 90s, 30m, 2h or 1d are, up to 1d", span), http.StatusConflict)
		return
	}
	s := &trace{checks: make(chan []byte, traceQueue), ended: make(chan string, 1)}
	t := &director.Trace{Virtual: words.Get("virtual"), Real: words.Get("server"), Take: s.take, End: func(why string) { s.ended <- why }}
	ctx, cancel := context.WithTimeout(r.Context(), handlerTimeout)
	defer cancel()
	defer d.director.EndTrace(t)
	if err := d.director.Trace(ctx, t); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	s.stream(r.Context(), w, fmt.Sprintf("checks of %s of %s for %s", t.Real, t.Virtual, span), last.Duration())
}

// take keeps a check for the reader, who is told before it what was lost.
func (s *trace) take(check string, tape *transcript.Tape) {
	var text bytes.Buffer
	lost := s.lost.Load()
	text.WriteString(leftOut(lost))
	fmt.Fprintf(&text, "%s %s\n", time.Now().Format(time.DateTime), check)
	_, _ = tape.WriteTo(&text) // into memory
	select {
	case s.checks <- text.Bytes():
		s.lost.Add(-lost)
	default:
		s.lost.Add(1)
	}
}

// leftOut is what a reader is told of checks that it was too slow for.
func leftOut(checks int64) string {
	if checks == 0 {
		return ""
	}
	return fmt.Sprintf("%d checks are left out: they came faster than they were read\n", checks)
}

// stream writes what is taken until the trace ends, or its reader.
func (s *trace) stream(ctx context.Context, w http.ResponseWriter, title string, last time.Duration) {
	reader := http.NewResponseController(w)
	_ = reader.SetReadDeadline(time.Time{}) // a socket can
	write := func(text string) bool {
		_ = reader.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err := w.Write([]byte(text))
		return err == nil && reader.Flush() == nil
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	end := time.NewTimer(last)
	defer end.Stop()
	for reads := write(title + "\n"); reads; {
		select {
		case text := <-s.checks:
			reads = write(string(text))
		case why := <-s.ended:
			write(leftOut(s.lost.Load()) + "ended: " + why + "\n")
			return
		case <-end.C:
			write(leftOut(s.lost.Load()))
			return
		case <-ctx.Done(): // or the reader has gone, who reads no more
			write(leftOut(s.lost.Load()) + "ended: the daemon ends\n")
			return
		}
	}
}
