package mail

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"ldirectord/internal/notify"
	"ldirectord/internal/printable"
)

// Limits for the delivery of mail.
const (
	maxWaiting     = 100              // mails in a box; further ones are dropped, and a mail counts them
	maxSending     = 8                // mails sent at once
	maxShown       = 500              // bytes of a recipient list in the log: the reason after it needs room
	firstMailRetry = 5 * time.Second  // the pause after the first temporary failure; then it doubles
	lastMailRetry  = 10 * time.Minute // the longest pause between two tries
	mailLifetime   = 24 * time.Hour   // the time after which no further try is made
)

// outbox delivers letters. The letters of one box are sent in order. Boxes do not wait for each other. Callers of set
// and queue hold mu.
type outbox struct {
	// deliver hands a letter to the mail system. again contains the recipients that must be tried again. err is
	// about the other recipients or, if there are none, about all of them.
	deliver func(context.Context, *letter) (again []string, err error)
	report  func(notify.Event)
	tries   *notify.Tries
	slots   chan struct{}

	mu     sync.Mutex // guards what follows
	boxes  map[string]*box
	rules  map[string]Rule // by virtual service
	ways   map[way]bool    // those of the rules
	closed bool
}

// box contains letters to the same recipients through the same server. A box that fails is kept until it works again or
// no rule uses it any more.
type box struct {
	key     string
	way     way // of its last letter
	to      string
	server  string
	wake    notify.Wake // ends the pause after a failure
	queue   []*letter   // the first is being sent
	dropped *letter     // the last letter that did not fit; its count includes the earlier ones
	busy    bool        // a goroutine is working on the queue
	failing bool        // the box fails, and that was reported
	lost    int         // alerts that did not reach all recipients since mail began to fail
	stuck   bool        // a try failed after close
}

func newOutbox(report func(notify.Event)) *outbox {
	return &outbox{deliver: deliver, report: report, tries: notify.NewTries(),
		slots: make(chan struct{}, maxSending), boxes: map[string]*box{}}
}

// deliver sends a letter over SMTP, or through the local sendmail.
func deliver(ctx context.Context, l *letter) (again []string, err error) {
	if l.smtp == "" {
		return sendmail(ctx, mailPrograms[:], l)
	}
	var d net.Dialer
	return sendSMTP(ctx, d.DialContext, l)
}

// set replaces the rules. In a failing box, letters whose rule has changed follow the new rule. The box's own goroutine
// redirects them, because it may be sending one of them.
func (o *outbox) set(rules map[string]Rule) {
	o.rules, o.ways = rules, map[way]bool{}
	for _, r := range rules {
		o.ways[r.way()] = true
	}
	for _, b := range o.boxes {
		if o.isLeft(b) {
			b.wake.Up()
			o.start(b)
		}
	}
}

// isLeft reports whether letters must leave a box. This is so if the box fails, and either no rule uses it any more or
// the rule of one of its letters has changed.
func (o *outbox) isLeft(b *box) bool {
	return b.failing && !o.closed && (!o.ways[b.way] || slices.ContainsFunc(b.queue, o.isChanged))
}

// isChanged reports whether the rule of a letter has changed. If the letter's virtual service has been removed, the
// rule counts as unchanged while another service has a rule with the same settings.
func (o *outbox) isChanged(l *letter) bool {
	r, known := o.rules[l.virtual]
	return known && r.way() != l.way || !o.ways[l.way]
}

// leave redirects the letters whose rule has changed. If no rule uses the box any more, its failure ends.
func (o *outbox) leave(b *box) {
	letters := b.queue
	if b.dropped != nil {
		letters = append(letters, b.dropped)
	}
	b.queue, b.dropped = nil, nil
	for _, l := range letters {
		if o.isChanged(l) && !l.redirect(o.rules[l.virtual]) {
			b.lost += l.count
			continue
		}
		o.queue(l)
	}
	if o.ways[b.way] {
		return
	}
	b.failing = false
	o.say(b, notify.MailRecovered,
		"email messages to %s that waited for %s are now sent as the new configuration says; "+
			"%d did not reach all recipients",
		b.to, b.server, b.lost)
}

// say reports an event that concerns a box.
func (o *outbox) say(b *box, kind notify.Kind, format string, args ...any) {
	e := notify.Event{Key: b.key}
	e.Say(kind, format, args...)
	o.report(e)
}

// queue queues a letter. It refuses a reminder if the queue is full, or if mail fails and letters are waiting, because
// another reminder will follow.
func (o *outbox) queue(l *letter) bool {
	b := o.boxes[l.box()]
	if b == nil {
		to, more := printable.Cut(strings.Join(l.to, ", "), maxShown)
		b = &box{key: l.box(), to: to + more, server: "sendmail", wake: notify.NewWake()}
		if l.smtp != "" {
			b.server = "SMTP server " + l.smtp
		}
		o.boxes[b.key] = b
	}
	b.way = l.way
	isDropped := l.count > 1 && !l.summary // by another box, which redirected it
	full := len(b.queue) >= maxWaiting || b.dropped != nil || isDropped
	switch {
	case l.reminder && (full || b.failing && len(b.queue) > 0):
		return false
	case full:
		if b.dropped != nil {
			l.count += b.dropped.count
		}
		b.dropped = l
	default:
		b.queue = append(b.queue, l)
	}
	o.start(b)
	return true
}

func (o *outbox) start(b *box) {
	if !b.busy && !o.closed {
		b.busy = true
		o.tries.Go(func() { o.work(b) })
	}
}

// close tries the letters of each box once more, until one must be tried again, and cancels all tries when ctx is done.
func (o *outbox) close(ctx context.Context) error {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.tries.End(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	unsent := 0
	for _, b := range o.boxes {
		unsent += b.lost
		if b.dropped != nil {
			unsent += b.dropped.count
		}
		for _, l := range b.queue {
			unsent += l.count
		}
	}
	if unsent > 0 {
		return fmt.Errorf("%d email messages did not reach all recipients", unsent)
	}
	return nil
}

// work sends the letters of a box until none is left, or until a try fails after close.
func (o *outbox) work(b *box) {
	for l := o.next(b); l != nil; l = o.next(b) {
		again, err := o.send(l)
		if !o.settle(b, l, again, err) {
			o.tries.Pause(notify.Backoff(l.tries, firstMailRetry, lastMailRetry), b.wake)
		}
	}
}

// next returns the first letter of a box. When all of them have been sent, it returns a summary of the dropped letters.
// If nothing is left to try, it marks the box as idle.
func (o *outbox) next(b *box) *letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.isLeft(b) {
		o.leave(b)
	}
	if len(b.queue) == 0 && b.dropped != nil {
		b.dropped.summarize()
		b.queue, b.dropped = append(b.queue, b.dropped), nil
	}
	if len(b.queue) > 0 && !b.stuck && o.tries.Context.Err() == nil {
		l := b.queue[0]
		if r := o.rules[l.virtual]; r.way() == l.way {
			l.password = r.Password // it may come from another file now
		}
		return l
	}
	b.busy = false
	if len(b.queue) == 0 && !b.failing {
		delete(o.boxes, b.key)
	}
	return nil
}

func (o *outbox) send(l *letter) (again []string, err error) {
	select {
	case o.slots <- struct{}{}:
		defer func() { <-o.slots }()
		return o.deliver(o.tries.Context, l)
	case <-o.tries.Context.Done():
		return l.to, o.tries.Context.Err()
	}
}

// settle removes a letter from its box, unless the letter must be tried again for all its recipients. done is false if
// work must pause before the next try.
func (o *outbox) settle(b *box, l *letter, again []string, err error) (done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l.tries++
	if o.tries.Context.Err() == nil {
		o.reportChange(b, err)
	}
	decided := len(again) < len(l.to) || len(again) == 0 // for some recipients, or for all
	expired := time.Since(l.date) > mailLifetime
	switch {
	case decided:
		if err != nil {
			b.lost += l.count
		}
		if len(again) > 0 { // the letters after it do not wait for these recipients
			rest := *l
			rest.to = again
			o.queue(&rest)
		}
	case o.closed:
		b.stuck = true
		return true
	case expired:
		b.lost += l.count
		o.say(b, notify.MailFailed, "email message to %s by %s was not sent within a day, and is lost: %s",
			b.to, b.server, l.about)
	default:
		return false
	}
	b.queue = slices.Delete(b.queue, 0, 1)
	return true
}

// reportChange reports when a box begins to fail, and when it works again.
func (o *outbox) reportChange(b *box, err error) {
	if b.failing == (err != nil) {
		return
	}
	if b.failing = err != nil; b.failing {
		kind := "" // the words of the Perl ldirectord, which log watchers expect
		if b.way.smtp != "" {
			kind = "SMTP "
		}
		text := fmt.Sprintf("failed to send %semail message to %s by %s: %v", kind, b.to, b.server, err)
		o.report(notify.Event{Kind: notify.MailFailed, Key: b.key, Reason: plain(err.Error()),
			Text: plain(text)})
		return
	}
	o.say(b, notify.MailRecovered, "email messages to %s by %s succeed again; %d did not reach all recipients",
		b.to, b.server, b.lost)
	b.lost = 0
}

// summarize turns the last dropped letter into a summary of all dropped letters.
func (l *letter) summarize() {
	last := l.subject
	l.about = fmt.Sprintf("%d alerts were dropped: they came faster than mail could be sent", l.count)
	l.subject, l.reason, l.reminder, l.summary, l.tries = l.about, "", false, true, 0
	l.body = fmt.Sprintf("ldirectord host: %s\nLog-Message: %s\n\nThe last was: %s\nThe log has all of them.\n",
		hostName(), l.about, last)
}
