package webhook

import (
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
	testkit.Stories(t, "../../../testdata/webhook/stories.txt", 3, func(t *testing.T, row []string) {
		r := &receiver{t: t, answers: map[string]string{}, held: make(chan struct{})}
		p := r.newPoster()
		for step := range strings.SplitSeq(row[1], "; ") {
			if r.take(p, strings.Fields(step)); !strings.HasPrefix(step, "send") {
				synctest.Wait()
			}
		}
		testkit.Equal(t, strings.Join(r.reports, "; "), row[2], "reported")
	})
}

// take takes one step of a row. Nothing else happens meanwhile.
func (r *receiver) take(p *Poster, words []string) {
	if passes, err := time.ParseDuration(words[0]); err == nil {
		time.Sleep(passes)
		return
	}
	switch words[0] {
	case "post", "send":
		for _, text := range words[1:] {
			p.Post(text[:1], []byte(text), func() { r.note(&r.tried, text) })
		}
	case "url":
		p.Set(strings.Join(words[1:], ""))
	case "end":
		go r.end(p)
	default:
		r.ask(words)
	}
}

// ask takes a step that concerns the receiver alone.
func (r *receiver) ask(words []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch words[0] {
	case "answers":
		r.answers[strings.Join(words[1:len(words)-1], "")] = words[len(words)-1]
	case "release":
		r.answers[""] = words[1]
		close(r.held)
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
	default:
		r.t.Fatalf("no step is called %s", words[0])
	}
}

// end ends a poster within three seconds.
func (r *receiver) end(p *Poster) {
	ctx := testkit.Within(r.t, 3*time.Second)
	began := time.Now()
	err := p.Close(ctx)
	r.note(&r.reports, fmt.Sprintf("ended after %v: %v", time.Since(began), err))
}

func (r *receiver) note(list *[]string, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*list = append(*list, text)
}
