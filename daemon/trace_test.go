package daemon

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker/transcript"
)

func TestTracesAreForRootAlone(t *testing.T) {
	for uid, want := range map[int]int{1000: http.StatusForbidden, -1: http.StatusForbidden, 0: http.StatusConflict} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/trace?virtual=a&server=b&for=soon", nil)
		(&daemon{}).answerTrace(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, &client{uid: uid})))
		if w.Code != want {
			t.Errorf("uid %d: %d %s", uid, w.Code, w.Body)
		}
	}
}

// Checks that come faster than they are read are left out, and the reader is told so.
func TestASlowReaderOfATraceIsToldWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTrace()
		tape := transcript.New()
		tape.Close(nil)
		for range traceQueue + 5 {
			s.take("connect", tape)
		}
		w := httptest.NewRecorder()
		read := make(chan struct{})
		go func() { defer close(read); s.stream(t.Context(), w, "title\n", 10*time.Second) }()
		time.Sleep(time.Second)
		s.take("ping", tape)
		time.Sleep(time.Second)
		for range traceQueue + 3 { // within one moment
			s.take("connect", tape)
		}
		<-read
		text := w.Body.String()
		if strings.Count(text, " connect\n") < traceQueue+1 || !strings.Contains(text, "\n5 checks are left out: they came faster than they were read\n") ||
			!strings.HasPrefix(text, "title\n") || !strings.Contains(text, " ping\n") {
			t.Error(text)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := newTrace()
		close(s.ended)
		w := httptest.NewRecorder()
		if s.stream(t.Context(), w, "title\n", time.Hour); !strings.HasSuffix(w.Body.String(), "\nended: the configuration has no check of this server\n") {
			t.Error(w.Body)
		}
	})
	ctx, end := context.WithCancel(t.Context())
	end()
	w := httptest.NewRecorder()
	if new(trace).stream(ctx, w, "title\n", time.Hour); !strings.HasSuffix(w.Body.String(), "\nended: the daemon ends\n") {
		t.Error(w.Body)
	}
}
