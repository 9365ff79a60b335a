package webhook

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/testkit"
)

func TestStories(t *testing.T) {
	for _, row := range testkit.Table(t, "../../../testdata/webhook/stories.txt", 3) {
		t.Run(row[0], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{t: t, answers: map[string]string{}, held: make(chan struct{})}
				p := r.newPoster()
				for step := range strings.SplitSeq(row[1], "; ") {
					r.take(p, strings.Fields(step))
					synctest.Wait()
				}
				testkit.Equal(t, strings.Join(r.reports, "; "), row[2], "reported")
			})
		})
	}
}

// take takes one step of a row.
func (r *receiver) take(p *Poster, words []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch words[0] {
	case "answers":
		r.answers[strings.Join(words[1:len(words)-1], "")] = words[len(words)-1]
	case "release":
		r.answers[""] = words[1]
		close(r.held)
	case "post":
		text := words[1]
		go p.Post(text[:1], []byte(text), func() { r.tried = append(r.tried, text) })
	case "tried":
		slices.Sort(r.tried)
		testkit.Same(r.t, r.tried, words[1:], "tried")
		r.tried = nil
	case "posted":
		slices.Sort(r.got)
		testkit.Same(r.t, r.got, words[1:], "posted")
	case "tries":
		least, most := testkit.Must(strconv.Atoi(words[1]))(r.t), testkit.Must(strconv.Atoi(words[2]))(r.t)
		if r.tries < least || r.tries > most {
			r.t.Errorf("%d tries, want %d to %d", r.tries, least, most)
		}
	case "url":
		p.Set("")
	case "end":
		go r.end(p)
	default:
		r.mu.Unlock()
		time.Sleep(testkit.Must(time.ParseDuration(words[0]))(r.t))
		r.mu.Lock()
	}
}

// end ends a poster within three seconds.
func (r *receiver) end(p *Poster) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Second)
	defer cancel()
	began := time.Now()
	err := p.Close(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, fmt.Sprintf("ended after %v: %v", time.Since(began), err))
}
