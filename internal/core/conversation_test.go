package core

import (
	"strings"
	"testing"
	"time"

	"ldirectord/checker/transcript"
	"ldirectord/internal/health"
	"ldirectord/internal/judge"
	"ldirectord/internal/schedule"
	"ldirectord/internal/testkit"
	"ldirectord/internal/view"
)

// said is a failed check whose conversation was recorded.
func said(task *schedule.Task, what string) *schedule.Update {
	u := &schedule.Update{Task: task, Tape: transcript.New()}
	for range 100 { // enough to fill a tape
		u.Tape.Say(transcript.Note, nil, []byte(what))
	}
	u.Tape.Close(func(_ transcript.Kind, text string, _ bool) string { return text })
	return u
}

// The last failed conversation of a check is kept while the check is down, within all limits.
func TestConversationsOfChecksThatAreDown(t *testing.T) {
	var asked []*schedule.Task
	a := conversations{tape: func(t *schedule.Task) { asked = append(asked, t) },
		kept: map[*schedule.Task]view.Conversation{}}
	down := func() *check {
		return &check{users: []user{{j: &judgement{
			Check: &judge.Check{Health: health.Health{State: health.Down}}}}}}
	}
	now, task, c := time.Now(), &schedule.Task{}, down()
	expect := func(what string, u *schedule.Update, asks bool, text string) {
		t.Helper()
		asked = nil
		a.follow(u, c, now)
		testkit.Equal(t, len(asked) > 0, asks, what, "tapes were requested")
		if got := a.kept[task].Text; len(got) > maxConversation || !strings.Contains(got, text) ||
			(got == "") != (text == "") {
			t.Errorf("%s: %d bytes: %.80q", what, len(got), got)
		}
	}
	expect("a failure", &schedule.Update{Task: task}, true, "")
	expect("another one within a moment", &schedule.Update{Task: task}, false, "")
	now = now.Add(time.Second)
	expect("a conversation", said(task, strings.Repeat("ö", 200)), false, "ö…\n")
	expect("the next failure", &schedule.Update{Task: task}, false, "ö…\n")
	now = now.Add(conversationLasts)
	expect("an old conversation", &schedule.Update{Task: task}, true, "ö…\n")
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
		a.follow(said(new(schedule.Task), "down"), c, now)
	}
	expect("one more than are kept", said(task, "late"), false, "")
	testkit.Equal(t, len(a.kept), maxConversations, "conversations are kept")
}
