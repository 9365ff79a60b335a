package mail

import (
	"context"
	"fmt"
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
	mu      sync.Mutex // guards what follows
	got     []*letter
	fails   error         // the result of every delivery
	final   bool          // whether that is final
	reaches string        // the only recipient whom mail reaches; "": all
	pause   time.Duration // how long a delivery takes
	tries   int
	events  []notify.Event
	began   time.Time
	log     []string // the mails, and the events except Mailing, with their times
}

// newTestMailer returns a Mailer that delivers to a postbox. It is used in a synctest bubble, and is closed at the
// end of the test.
func newTestMailer(t *testing.T) (*Mailer, *postbox) {
	p := &postbox{began: time.Now()}
	m := New(func(e notify.Event) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.events = append(p.events, e); e.Kind != notify.Mailing {
			p.note(e.Text)
			testkit.Equal(t, e.Key != "", true, "a box is named:", e.Text)
		}
	})
	m.deliver = p.deliver
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = m.Close(ctx)
	})
	return m, p
}

func (p *postbox) deliver(_ context.Context, l *letter) (again []string, err error) {
	p.mu.Lock()
	pause := p.pause
	p.mu.Unlock()
	time.Sleep(pause)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries++
	switch {
	case p.reaches != "" && !slices.Contains(l.to, p.reaches):
		return l.to, errAway
	case p.fails == nil:
		p.got = append(p.got, l)
		p.note(l.subject + differing(l))
		if p.reaches != "" {
			again = slices.DeleteFunc(slices.Clone(l.to), func(to string) bool { return to == p.reaches })
		}
		return again, nil
	case p.final:
		return nil, p.fails
	}
	return l.to, p.fails
}

// differing is what a letter has that those by the testRule have not.
func differing(l *letter) (s string) {
	if to := strings.Join(l.to, ","); to != testRule().To {
		s += " to " + to
	}
	if l.smtp != testRule().SMTP {
		s += " by " + l.smtp
	}
	if l.password != nil {
		word, _ := l.password()
		s += " with " + word
	}
	return s
}

// answer sets the result of all further deliveries, and whether it is final.
func (p *postbox) answer(err error, final bool) {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails, p.final = err, final
}

// takes sets how long all further deliveries take.
func (p *postbox) takes(d time.Duration) {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pause = d
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

const (
	testVirtual = "tcp:10.1.0.1:7000"
	testOther   = "fwm:3"
	testReal    = "10.2.0.1:7000"
)

func wentDown(real string) notify.Event {
	return notify.Event{Time: time.Now(), Kind: notify.Deleted, Status: lvs.StatusRunning, Virtual: testVirtual,
		Real: real,
		Text: "Deleted real server: " + real + " (10.1.0.1:7000)"}
}

func found(real string) notify.Event {
	return notify.Event{Time: time.Now(), Virtual: testVirtual, Real: real}
}

func testRule() Rule {
	return Rule{To: "admin@example.net", SMTP: "127.0.0.1",
		Statuses: []lvs.Status{lvs.StatusStarting, lvs.StatusRunning, lvs.StatusStopping, lvs.StatusReloading}}
}

func setRule(m *Mailer, r Rule) { m.Set(map[string]Rule{testVirtual: r}) }

func TestAMailIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newTestMailer(t)
		rule := testRule()
		rule.ServiceName = "Web shop"
		setRule(m, rule)
		m.Notify(wentDown(testReal))
		synctest.Wait()
		if len(p.got) != 1 || len(p.events) != 1 || p.events[0].Kind != notify.Mailing ||
			p.events[0].Text != "emailalert: Deleted real server: 10.2.0.1:7000 (10.1.0.1:7000)" {
			t.Errorf("%d mails, reported %+v", len(p.got), p.events)
		}
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
		rule.Freq, rule.Why = time.Minute, "ldirectord www.cf why"
		setRule(m, rule)
		e := found(testReal)
		e.Reason, e.Name = "refused", "web1:7000"
		m.Down(e, true)
		time.Sleep(90 * time.Second)
		synctest.Wait()
		const want = "Daemon-Status: running\n\nReason: refused\nTo find out more: ldirectord www.cf why " +
			testVirtual + " web1:7000\n"
		if len(p.got) != 1 || !strings.HasSuffix(p.got[0].body, want) {
			t.Errorf("%+v", p.got)
		}
	})
}

// BenchmarkSet10k is a reload while the 10,000 servers of a section are down.
func BenchmarkSet10k(b *testing.B) {
	m, rule := New(func(notify.Event) {}), testRule()
	rule.Freq = time.Hour
	setRule(m, rule)
	for i := range 10_000 {
		m.Down(found(fmt.Sprint("10.2.0.1:", i)), true)
	}
	for b.Loop() {
		setRule(m, rule)
	}
}
