package director

import (
	"slices"
	"strings"
	"time"

	"ldirectord/checker/health"
	"ldirectord/checker/schedule"
)

// Bounds of what is kept of failed checks, and of what it costs: each one that is taken down needs a goroutine.
const (
	maxConversations  = 1000    // checks
	maxConversation   = 4 << 10 // bytes of each
	conversationEvery = 50 * time.Millisecond
	conversationLasts = time.Minute // then a newer one is taken down
)

// Conversation is what a failed check and its server said to each other, without secrets.
type Conversation struct {
	Check string    `json:"check"`
	Time  time.Time `json:"time"`
	Text  string    `json:"text"`
}

// conversations are the last ones of checks that are down. Others cost nothing.
type conversations struct {
	tape func(*schedule.Task) // has the next check taken down
	kept map[*schedule.Task]Conversation
	free time.Time // when the next check may be taken down
}

// follow takes a result that is believed. While its check is down it asks for a conversation that is newer.
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
		last = Conversation{Time: now.UTC(), Text: shorten(u.Tape.String())}
		a.kept[u.Task] = last
	}
	if now.Sub(last.Time) >= conversationLasts && !now.Before(a.free) {
		a.free = now.Add(conversationEvery)
		a.tape(u.Task)
	}
}

// shorten keeps the beginning of a conversation.
func shorten(text string) string {
	const more = "…\n"
	if len(text) <= maxConversation {
		return text
	}
	return strings.ToValidUTF8(text[:maxConversation-len(more)], "") + more
}

// of are those of the checks of a server that are down.
func (a *conversations) of(v *virtual, s *server) (list []Conversation) {
	for j := &s.first; j != nil; j = j.next {
		if said, has := a.kept[j.task]; has && j.Health.State == health.Down {
			said.Check = user{v, s, j}.checkName()
			list = append(list, said)
		}
	}
	return list
}
