// Package mail sends mail about events to the operator. It decides which events are mailed and when reminders are sent.
// It writes the mails (letter.go, which also decides who still gets one), keeps them while they wait (outbox.go), and
// delivers them over SMTP or through sendmail.
package mail

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
)

// Rule contains the settings for mail about one virtual service. Most fields are values of directives, which are
// described in the manual.
type Rule struct {
	To          string // emailalert: addresses separated by commas; "" for none
	From        string // emailalertfrom: the From line; "" for USER@HOST
	SMTP        string // smtp: server, at port 25 unless it is host:port; "" for the local sendmail
	TLS         string // smtptls: no, offered or required; "" is no
	User        string // smtpuser: who logs in; "" for nobody
	Password    func() (string, error)
	Freq        time.Duration // emailalertfreq: between reminders of a server that is still down; 0 for none
	Statuses    []lvs.Status  // emailalertstatus: the states of the daemon in which mail is sent
	ServiceName string        // servicename: in front of the subject, and in the body
	Comment     string        // comment: in the body
	// emailalertdetail: the command that shows more about a server, without its arguments (the virtual service and
	// the server); if "", the mail looks like that of the Perl ldirectord
	Why string
}

// mails reports whether mail is sent about events while the daemon is in this state.
func (r Rule) mails(s lvs.Status) bool { return r.To != "" && slices.Contains(r.Statuses, s) }

// way contains the mail server and the addresses of a rule, as written. It does not contain the password, which may
// change.
type way struct{ smtp, tls, user, from, to string }

func (r Rule) way() way { return way{r.SMTP, r.TLS, r.User, r.From, r.To} }

// Mailer sends mail about events, such as a server that is added or removed, and reminders about servers that are still
// down. Letters with different recipients or mail servers wait in separate queues.
type Mailer struct {
	*outbox // its mu guards what follows, too

	// what reminders say about real servers that are down; Time is when the last reminder was sent, or the server
	// went down
	down  map[lvs.Backend]notify.Event
	timer *time.Timer
	due   time.Time // when the timer fires; zero if nothing is due
}

// New returns a mailer without rules. It calls report for each queued mail (Mailing), when mail fails (MailFailed) and
// when mail works again (MailRecovered). The function report is called from several goroutines. It must not block or
// call the Mailer. Close ends the mailer.
func New(report func(notify.Event)) *Mailer {
	m := &Mailer{outbox: newOutbox(report), down: map[lvs.Backend]notify.Event{}}
	m.timer = time.AfterFunc(time.Hour, m.remind)
	m.timer.Stop() // nothing is due
	return m
}

// Set replaces the rules, which are indexed by Event.Virtual. The caller must not change the map afterwards. Reminders
// continue at the new frequency, unless that is 0. Letters that wait because mail fails follow the new rules.
func (m *Mailer) Set(rules map[string]Rule) {
	m.mu.Lock()
	m.set(rules)
	maps.DeleteFunc(m.down, func(at lvs.Backend, _ notify.Event) bool { return m.rules[at.Virtual].Freq <= 0 })
	m.mu.Unlock()
	m.remind()
}

// Notify receives an event and sends mail about it if a rule requires that. It never blocks.
func (m *Mailer) Notify(e notify.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Kind {
	case notify.Added, notify.Restored, notify.Drained, notify.Purged, notify.Quiescent, notify.Deleted,
		notify.Unjudged, notify.OrderEnded, notify.GuardHolds, notify.GuardOver:
		m.mail(e)
	case notify.Lost:
		m.mailAll(e)
	}
}

// Down begins the reminders of a real server if it is down, and ends them if it is not. The event contains what the
// reminders say. Down never blocks.
func (m *Mailer) Down(e notify.Event, down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := lvs.At(e.Virtual, e.Real)
	if !down {
		delete(m.down, s)
		return
	}
	e.Status = lvs.StatusRunning
	if was, known := m.down[s]; known {
		e.Time = was.Time
		m.down[s] = e // the server may have another name
	} else if m.rules[e.Virtual].Freq > 0 {
		m.down[s] = e
		m.schedule(s)
	}
}

// Close tries once more to send the waiting mails, but for no longer than ctx allows. In each queue it stops at the
// first mail that must be tried again for all recipients. The error contains the number of mails that did not reach all
// recipients.
func (m *Mailer) Close(ctx context.Context) error {
	defer m.timer.Stop() // until mail is closed, a change may start it again
	return m.close(ctx)
}

// mail sends mail about one change. If readdquiescent adds a server with weight 0, the subject says only that the
// server is quiescent, as with the Perl ldirectord.
func (m *Mailer) mail(e notify.Event) {
	if rule := m.rules[e.Virtual]; rule.mails(e.Status) {
		m.send(e, newLetter(rule, e, strings.TrimPrefix(e.Text, "Readd ")))
	}
}

// mailAll sends a mail to the recipients of each rule. Rules with the same recipients and mail server share one mail.
func (m *Mailer) mailAll(e notify.Event) {
	e.Status = cmp.Or(e.Status, lvs.StatusRunning)
	done := map[string]bool{}
	for id, rule := range m.rules {
		rule.ServiceName, rule.Comment = "", ""
		l := newLetter(rule, e, e.Text)
		if l.virtual = id; rule.mails(e.Status) && !done[l.box()] {
			done[l.box()] = true
			m.send(e, l)
		}
	}
}

func (m *Mailer) send(e notify.Event, l *letter) {
	if m.queue(l) {
		m.report(notify.Event{Kind: notify.Mailing, Status: e.Status, Virtual: e.Virtual, Real: e.Real,
			Text: "emailalert: " + l.about})
	}
}

// schedule sets the timer for the next reminder about a server, unless the timer is already set to an earlier time.
func (m *Mailer) schedule(s lvs.Backend) {
	freq := m.rules[s.Virtual].Freq
	at := m.down[s].Time.Add(freq)
	if m.closed || freq <= 0 || !m.due.IsZero() && !at.Before(m.due) {
		return
	}
	m.due = at
	m.timer.Reset(time.Until(at))
}

// remind sends the reminders that are due now or within the next second (or half of Freq, if that is less). Sending
// some early keeps the number of passes over all servers low when servers went down at different times. The status of a
// reminder is always "running", as in the Perl ldirectord, which sends reminders between rounds of checks.
func (m *Mailer) remind() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.due = time.Time{}
	now := time.Now()
	for _, s := range slices.SortedFunc(maps.Keys(m.down), lvs.Backend.Compare) {
		rule := m.rules[s.Virtual]
		early := min(time.Second, rule.Freq/2)
		if e := m.down[s]; rule.Freq > 0 && !e.Time.Add(rule.Freq-early).After(now) {
			e.Time = now
			m.down[s] = e
			if rule.mails(lvs.StatusRunning) {
				_, address, _ := strings.Cut(s.Virtual, ":")
				l := newLetter(rule, e,
					fmt.Sprintf("Inaccessible real server: %s (%s)", s.Real, address))
				l.reminder = true
				m.send(e, l)
			}
		}
		m.schedule(s)
	}
}
