package director

import (
	"strings"
	"testing"
	"time"

	"ldirectord/checker"
	"ldirectord/checker/health"
	"ldirectord/checker/transcript"
	"ldirectord/judge"
)

// said is a failed check that was taken down.
func said(task *checker.Task, what string) *checker.Update {
	u := &checker.Update{Task: task, Tape: transcript.New()}
	for range 100 { // as much as a tape has
		u.Tape.Say(transcript.Note, nil, []byte(what))
	}
	u.Tape.Close(func(_ transcript.Kind, text string, _ bool) string { return text })
	return u
}

// The last failed conversation of a check is kept while it is down, bounded in every way.
func TestConversationsOfChecksThatAreDown(t *testing.T) {
	var asked []*checker.Task
	a := conversations{tape: func(t *checker.Task) { asked = append(asked, t) }, kept: map[*checker.Task]Conversation{}}
	down := func() *check {
		return &check{users: []user{{j: &judgement{Check: &judge.Check{Health: health.Health{State: health.Down}}}}}}
	}
	now, task, c := time.Now(), &checker.Task{}, down()
	expect := func(what string, u *checker.Update, asks bool, text string) {
		t.Helper()
		asked = nil
		a.follow(u, c, now)
		if (len(asked) > 0) != asks {
			t.Errorf("%s: asked for %d", what, len(asked))
		}
		if got := a.kept[task].Text; len(got) > maxConversation || !strings.Contains(got, text) || (got == "") != (text == "") {
			t.Errorf("%s: %d bytes: %.80q", what, len(got), got)
		}
	}
	expect("a failure", &checker.Update{Task: task}, true, "")
	expect("another one within a moment", &checker.Update{Task: task}, false, "")
	now = now.Add(time.Second)
	expect("a conversation", said(task, strings.Repeat("ö", 200)), false, "ö…\n")
	expect("the next failure", &checker.Update{Task: task}, false, "ö…\n")
	now = now.Add(conversationLasts)
	expect("an old conversation", &checker.Update{Task: task}, true, "ö…\n")
	expect("one that failed otherwise", said(task, "other"), false, "other")
	now = now.Add(conversationLasts)
	u := said(task, "passed")
	u.Result.OK = true
	expect("a success that does not count yet", u, false, "other")
	c.users[0].j.Health.State = health.Up
	expect("it is up", u, false, "")
	expect("a failure that does not count yet", said(task, "soft"), false, "")

	c = down()
	for range maxConversations + 10 {
		a.follow(said(new(checker.Task), "down"), c, now)
	}
	expect("one more than are kept", said(task, "late"), false, "")
	if len(a.kept) != maxConversations {
		t.Errorf("%d conversations are kept", len(a.kept))
	}
}
