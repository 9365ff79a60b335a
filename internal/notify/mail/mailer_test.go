package mail

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
)

// postbox is a mail system in memory.
type postbox struct {
	mu     sync.Mutex // guards what follows
	got    []*letter
	fails  error // the result of every delivery
	final  bool  // whether that is final
	tries  int
	events []notify.Event
}

// newTestMailer returns a Mailer that delivers to a postbox. It is used in a synctest bubble, and is closed at the
// end of the test.
func newTestMailer(t *testing.T) (*Mailer, *postbox) {
	p := &postbox{}
	m := New(func(e notify.Event) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.events = append(p.events, e)
	})
	m.out.deliver = p.deliver
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = m.Close(ctx)
	})
	return m, p
}

func (p *postbox) deliver(_ context.Context, l *letter) (again []string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries++
	switch {
	case p.fails == nil:
		p.got = append(p.got, l)
		return nil, nil
	case p.final:
		return nil, p.fails
	}
	return l.to, p.fails
}

// answer sets the result of all further deliveries, and whether it is final.
func (p *postbox) answer(err error, final bool) {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails, p.final = err, final
}

// subjects are the subjects of the mails that arrived since the last call.
func (p *postbox) subjects() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var s []string
	for _, l := range p.got {
		s = append(s, l.subject)
	}
	p.got = nil
	return s
}

// reported are the kinds of the events since the last call, except Mailing.
func (p *postbox) reported() []notify.Kind {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var kinds []notify.Kind
	for _, e := range p.events {
		if e.Kind != notify.Mailing {
			kinds = append(kinds, e.Kind)
		}
	}
	p.events = nil
	return kinds
}

const (
	testVirtual = "tcp:10.1.0.1:7000"
	testReal    = "10.2.0.1:7000"
)

func wentDown(real string) notify.Event {
	return notify.Event{Time: time.Now(), Kind: notify.Deleted, Status: lvs.StatusRunning, Virtual: testVirtual,
		Real: real,
		Text: "Deleted real server: " + real + " (10.1.0.1:7000)"}
}

func cameBack(real string) notify.Event {
	return notify.Event{Time: time.Now(), Kind: notify.Added, Status: lvs.StatusRunning, Virtual: testVirtual,
		Real: real, Weight: 1,
		Text: "Added real server: " + real + " (10.1.0.1:7000) (Weight set to 1)"}
}

func testRule() Rule {
	return Rule{To: "admin@example.net", SMTP: "127.0.0.1", Reals: []string{testReal},
		Statuses: []lvs.Status{lvs.StatusStarting, lvs.StatusRunning, lvs.StatusStopping, lvs.StatusReloading}}
}

func setRule(m *Mailer, r Rule) { m.Set(map[string]Rule{testVirtual: r}) }

// mailing runs a test in a bubble, with a mailer that has a rule, which reminds so often.
func mailing(t *testing.T, freq time.Duration, test func(*testing.T, *Mailer, *postbox, Rule)) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newTestMailer(t)
		rule := testRule()
		rule.Freq = freq
		setRule(m, rule)
		test(t, m, p, rule)
	})
}

func TestMailHasThePerlsWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newTestMailer(t)
		rule := testRule()
		rule.From = "LVS watch <lvs@example.net>"
		rule.ServiceName, rule.Comment = "Web shop", "call 1234 when down"
		setRule(m, rule)
		m.Notify(wentDown(testReal))
		synctest.Wait()
		if len(p.got) != 1 {
			t.Fatalf("%d mails", len(p.got))
		}
		l := p.got[0]
		header, body, _ := strings.Cut(l.text(), "\n\n")
		wantHeader := "From: LVS watch <lvs@example.net>\nTo: admin@example.net\n" +
			"Subject: [Web shop] Deleted real server: 10.2.0.1:7000 (10.1.0.1:7000)\nDate: "
		if !strings.HasPrefix(header, wantHeader) {
			t.Errorf("header\n%s\nwant\n%s", header, wantHeader)
		}
		wantBody := "ldirectord host: " + hostName() + "\n" +
			"Log-Message: [Web shop] Deleted real server: 10.2.0.1:7000 (10.1.0.1:7000)\n" +
			"Daemon-Status: running\n\nService name: Web shop\nComment: call 1234 when down\n\n"
		testkit.Equal(t, body, wantBody, "body")
		if want := userName() + "@" + hostName(); l.sender != want ||
			!slices.Equal(l.to, []string{"admin@example.net"}) {
			t.Errorf("envelope %s to %q", l.sender, l.to)
		}
		if len(p.events) != 1 || p.events[0].Kind != notify.Mailing ||
			p.events[0].Text != "emailalert: Deleted real server: 10.2.0.1:7000 (10.1.0.1:7000)" {
			t.Errorf("reported %+v", p.events)
		}
	})
}

func TestMailWithoutAServiceNameIsShortAndFromTheUser(t *testing.T) {
	l := newLetter(testRule(), notify.Event{Status: lvs.StatusStopping}, "Purged real server (stop): x (y)")
	name, err := exec.Command("id", "-un").Output()
	if err != nil {
		t.Skip(err)
	}
	from := "From: " + strings.TrimSpace(string(name)) + "@" + hostName() + "\n"
	body := "\n\nldirectord host: " + hostName() +
		"\nLog-Message: Purged real server (stop): x (y)\nDaemon-Status: stopping\n"
	if text := l.text(); !strings.HasPrefix(text, from) || !strings.HasSuffix(text, body) {
		t.Errorf("mail\n%s", text)
	}
}

func TestWhatIsMailed(t *testing.T) {
	const starting, running, stopping = lvs.StatusStarting, lvs.StatusRunning, lvs.StatusStopping
	var never lvs.Status // of what is no event of a server
	for _, c := range []struct {
		name         string
		kind         notify.Kind
		status       lvs.Status
		text, mailed string
		change       func(*Rule, *notify.Event)
	}{
		{"a server added", notify.Added, running, "Added …", "Added …", nil},
		{"a server restored", notify.Restored, lvs.StatusReloading, "Restored …", "Restored …", nil},
		{"a server drained", notify.Drained, running, "Drained …", "Drained …", nil},
		{"a server purged", notify.Purged, stopping, "Purged …", "Purged …", nil},
		{"a server quiescent", notify.Quiescent, starting, "Quiescent …", "Quiescent …", nil},
		{"a server readded as quiescent", notify.Quiescent, starting, "Readd Quiescent …", "Quiescent …", nil},
		{"the guard holds servers", notify.GuardHolds, running, "Guard holds …", "Guard holds …", nil},
		{"the guard holds others", notify.GuardChanged, running, "Guard holds more …", "", nil},
		{"the guard is over", notify.GuardOver, running, "Guard is over …", "Guard is over …", nil},
		{"answers that nobody can judge", notify.Unjudged, running, "Answer can't be judged …",
			"Answer can't be judged …", nil},
		{"the end of an order", notify.OrderEnded, running, "Order ended: …", "Order ended: …", nil},
		{"an order", notify.Ordered, running, "Order: …", "", nil},
		{"a fallback", notify.Deleted, running, "Deleted …", "Deleted …",
			func(_ *Rule, e *notify.Event) { e.Fallback = true }},
		{"a virtual service", notify.PurgedVirtual, running, "Purged virtual …", "", nil},
		{"a soft failure", notify.SoftFailure, running, "Soft failure …", "", nil},
		{"mail itself", notify.MailFailed, never, "failed …", "", nil},
		{"what was lost on the way", notify.Lost, never, "5 events were lost", "5 events were lost", nil},
		{"in another state", notify.Added, starting, "Added …", "",
			func(r *Rule, _ *notify.Event) { r.Statuses = []lvs.Status{running} }},
		{"in no state", notify.Lost, never, "…", "", func(r *Rule, _ *notify.Event) { r.Statuses = nil }},
		{"to nobody", notify.Added, running, "Added …", "", func(r *Rule, _ *notify.Event) { r.To = "" }},
		{"of another virtual service", notify.Added, running, "Added …", "",
			func(_ *Rule, e *notify.Event) { e.Virtual = "fwm:3" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			mailing(t, 0, func(t *testing.T, m *Mailer, p *postbox, rule Rule) {
				e := notify.Event{Kind: c.kind, Status: c.status, Virtual: testVirtual, Text: c.text}
				if c.change != nil {
					c.change(&rule, &e)
				}
				setRule(m, rule)
				m.Notify(e)
				testkit.Equal(t, strings.Join(p.subjects(), ", "), c.mailed, "mailed")
			})
		})
	}
}

func TestRemindersComeUntilTheServerIsBack(t *testing.T) {
	mailing(t, 10*time.Second, func(t *testing.T, m *Mailer, p *postbox, _ Rule) {
		m.Notify(wentDown(testReal))
		p.subjects()
		const reminder = "Inaccessible real server: 10.2.0.1:7000 (10.1.0.1:7000)"
		for _, step := range []struct {
			wait time.Duration
			want []string
		}{
			{9 * time.Second, nil},
			{2 * time.Second, []string{reminder}},
			{8 * time.Second, nil},
			{time.Second, []string{reminder}},
		} {
			time.Sleep(step.wait)
			testkit.Same(t, p.subjects(), step.want, "after", step.wait, "more")
		}
		m.Notify(cameBack(testReal))
		p.subjects()
		time.Sleep(time.Hour)
		testkit.Equal(t, len(p.subjects()), 0, "reminders after it is back")
	})
}

func TestWhoStandsByRemindsOfNothing(t *testing.T) {
	mailing(t, time.Second, func(t *testing.T, m *Mailer, p *postbox, _ Rule) {
		m.Notify(wentDown(testReal))
		m.Notify(notify.Event{Kind: notify.StandingBy, Status: lvs.StatusStopping})
		p.subjects()
		time.Sleep(time.Hour)
		testkit.Equal(t, len(p.subjects()), 0, "reminders")
	})
}

func TestNoRemindersOf(t *testing.T) {
	for name, change := range map[string]func(*Rule, *notify.Event){
		"a fallback":      func(_ *Rule, e *notify.Event) { e.Fallback = true },
		"a server purged": func(_ *Rule, e *notify.Event) { e.Kind = notify.Purged },
		"frequency 0":     func(r *Rule, _ *notify.Event) { r.Freq = 0 },
		"a state without mail": func(r *Rule, e *notify.Event) {
			r.Statuses, e.Status = []lvs.Status{lvs.StatusStarting}, lvs.StatusStarting
		},
	} {
		t.Run(name, func(t *testing.T) {
			mailing(t, time.Second, func(t *testing.T, m *Mailer, p *postbox, rule Rule) {
				e := wentDown(testReal)
				change(&rule, &e)
				setRule(m, rule)
				m.Notify(e)
				testkit.Equal(t, len(p.subjects()), 1, "mails")
				time.Sleep(time.Hour)
				testkit.Equal(t, len(p.subjects()), 0, "reminders")
			})
		})
	}
}

func TestRemindersAfterAReload(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules func(Rule) map[string]Rule
		want  int // the number of mails in the next minute
	}{
		{"go on where nothing changed", func(r Rule) map[string]Rule { return map[string]Rule{testVirtual: r} },
			6},
		{"follow a new frequency", func(r Rule) map[string]Rule {
			r.Freq = 30 * time.Second
			return map[string]Rule{testVirtual: r}
		}, 2},
		{"end with the virtual service", func(Rule) map[string]Rule { return nil }, 0},
		{"end with the server", func(r Rule) map[string]Rule {
			r.Reals = []string{"10.2.0.9:7000"}
			return map[string]Rule{testVirtual: r}
		}, 0},
		{"end with the last server", func(r Rule) map[string]Rule {
			r.Reals = nil
			return map[string]Rule{testVirtual: r}
		}, 0},
		{"go on while the server is configured", func(r Rule) map[string]Rule {
			r.Reals = []string{testReal}
			return map[string]Rule{testVirtual: r}
		}, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			mailing(t, 10*time.Second, func(t *testing.T, m *Mailer, p *postbox, rule Rule) {
				m.Notify(wentDown(testReal))
				p.subjects()
				m.Set(c.rules(rule))
				time.Sleep(time.Minute + time.Millisecond)
				testkit.Equal(t, len(p.subjects()), c.want, "reminders")
			})
		})
	}
}

func TestRemindersDoNotPileUpWhileMailFails(t *testing.T) {
	mailing(t, time.Second, func(t *testing.T, m *Mailer, p *postbox, rule Rule) {
		p.answer(errAway, false)
		m.Notify(wentDown("10.2.0.1:7000"))
		m.Notify(wentDown("10.2.0.2:7000"))
		time.Sleep(5 * time.Minute)
		m.Notify(cameBack("10.2.0.1:7000"))
		p.answer(nil, false)
		rule.Freq = 0
		setRule(m, rule)
		time.Sleep(lastMailRetry)
		want := []string{
			"Deleted real server: 10.2.0.1:7000 (10.1.0.1:7000)",
			"Deleted real server: 10.2.0.2:7000 (10.1.0.1:7000)",
			"Added real server: 10.2.0.1:7000 (10.1.0.1:7000) (Weight set to 1)",
		}
		testkit.Same(t, p.subjects(), want, "mailed")
	})
}

func TestWhatWasLostIsToldToEachPersonOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newTestMailer(t)
		rules := map[string]Rule{}
		for i := range 10 {
			rule := testRule()
			rule.ServiceName = fmt.Sprint("service ", i)
			if i == 0 {
				rule.To = "other@example.net"
			}
			rules[fmt.Sprint("fwm:", i)] = rule
		}
		m.Set(rules)
		m.Notify(notify.Event{Kind: notify.Lost, Text: "7 events were lost"})
		testkit.Same(t, p.subjects(), []string{"7 events were lost", "7 events were lost"}, "mailed")
	})
}

// A reminder repeats why the server is down and where to look.
func TestAReminderSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newTestMailer(t)
		rule := testRule()
		rule.Freq, rule.Why = time.Minute, "ldirectord 'www.cf' why"
		setRule(m, rule)
		e := wentDown(testReal)
		e.Reason, e.Name, e.Before, e.Lasted, e.Servers = "refused", "web1:7000", "up", time.Hour, 2
		m.Notify(e)
		time.Sleep(90 * time.Second)
		synctest.Wait()
		const want = "Daemon-Status: running\n\nReason: refused\nTo find out more: ldirectord 'www.cf' why " +
			testVirtual + " web1:7000\n"
		if len(p.got) != 2 || !strings.HasSuffix(p.got[1].body, want) {
			t.Errorf("%d mails, the last %+v", len(p.got), p.got[len(p.got)-1])
		}
	})
}
