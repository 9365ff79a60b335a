package core

import (
	"slices"
	"strings"
	"time"

	"ldirectord/internal/health"
	"ldirectord/internal/schedule"
	"ldirectord/internal/view"
)

// These are the limits for recorded conversations of failed checks. Each recording needs a goroutine.
const (
	maxConversations  = 1000    // number of checks
	maxConversation   = 4 << 10 // bytes of each conversation
	conversationEvery = 50 * time.Millisecond
	conversationLasts = time.Minute // after this time a newer conversation is recorded
)

// conversations holds the last recorded conversations of checks that are down. Other checks cost nothing.
type conversations struct {
	tape func(*schedule.Task) // has the next check recorded
	kept map[*schedule.Task]view.Conversation
	free time.Time // when the next check may be recorded
}

// follow handles a result that counts. While the check is down, it requests a newer conversation from time to time.
func (a *conversations) follow(u *schedule.Update, c *check, now time.Time) {
	if u.Result.OK && len(a.kept) == 0 {
		return
	}
	if !slices.ContainsFunc(c.users, func(x user) bool { return x.j.Health.State == health.Down }) {
		delete(a.kept, u.Task)
		return
	}
	if u.Result.OK {
		return
	}
	last, has := a.kept[u.Task]
	if !has && len(a.kept) >= maxConversations {
		return
	}
	if u.Tape != nil {
		last = view.Conversation{Time: now.UTC(), Text: shorten(u.Tape.String())}
		a.kept[u.Task] = last
	}
	if now.Sub(last.Time) >= conversationLasts && !now.Before(a.free) {
		a.free = now.Add(conversationEvery)
		a.tape(u.Task)
	}
}

// shorten cuts a conversation to maxConversation bytes.
func shorten(text string) string {
	const more = "…\n"
	if len(text) <= maxConversation {
		return text
	}
	return strings.ToValidUTF8(text[:maxConversation-len(more)], "") + more
}

// of returns the conversations of those checks of a server that are down.
func (a *conversations) of(v *virtual, s *server) (list []view.Conversation) {
	for x := range v.checks(s) {
		if last, has := a.kept[x.task()]; has && x.j.Health.State == health.Down {
			last.Check = x.use().Name()
			list = append(list, last)
		}
	}
	return list
}
