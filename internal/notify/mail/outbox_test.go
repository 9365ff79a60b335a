package mail

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
)

var errAway = errors.New("connection refused")

func TestWhatAFullBoxDropsIsOneSummary(t *testing.T) {
	for _, server := range []string{testRule().SMTP, "10.0.0.9"} {
		fullBox(t, server)
	}
}

// fullBox fills the box of a rule. Some of its mails are sent, mail fails again, and works at last, by this server.
func fullBox(t *testing.T, server string) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newTestMailer(t)
		setRule(m, testRule())
		p.answer(errAway, false)
		const all = maxWaiting + 550
		for i := range all {
			m.Notify(wentDown(fmt.Sprint("server", i)))
		}
		p.takes(time.Second)
		p.answer(nil, false)
		time.Sleep(15 * time.Second)
		p.answer(errAway, false)
		time.Sleep(10 * time.Second)
		if len(p.got) == 0 || len(p.got) >= maxWaiting {
			t.Fatalf("%d mails arrived at first", len(p.got))
		}
		p.takes(0)
		p.answer(nil, false)
		rule := testRule()
		rule.SMTP = server
		setRule(m, rule)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(p.got) != maxWaiting+1 {
			t.Fatalf("%d mails arrived, want %d and a summary", len(p.got), maxWaiting)
		}
		summary := p.got[maxWaiting]
		want := fmt.Sprintf("%d alerts were dropped: ", all-maxWaiting)
		if !strings.HasPrefix(summary.subject, want) {
			t.Errorf("subject %q, want %q", summary.subject, want)
		}
		testkit.Contains(t, summary.body, "server649 (", "the summary lacks the last alert")
	})
}

func TestALetterIsTriedForItsLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(func(notify.Event) {})
		l := &letter{to: []string{"a@example.net"}, date: time.Now().Add(-mailLifetime), count: 3}
		b := &box{queue: []*letter{l}}
		if o.settle(b, l, l.to, errAway) || len(b.queue) != 1 || b.lost != 0 {
			t.Errorf("at its end: %+v", b)
		}
		time.Sleep(time.Nanosecond)
		if !o.settle(b, l, l.to, errAway) || len(b.queue) != 0 || b.lost != 3 {
			t.Errorf("after it: %+v", b)
		}
	})
}

func TestASilentServerDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newTestMailer(t)
		silent, good := testRule(), testRule()
		silent.SMTP = "192.0.2.1"
		m.Set(map[string]Rule{"fwm:1": silent, "fwm:2": good})
		m.deliver = func(ctx context.Context, l *letter) ([]string, error) {
			if l.smtp == silent.SMTP {
				<-ctx.Done()
				return l.to, ctx.Err()
			}
			return p.deliver(ctx, l)
		}
		m.Notify(notify.Event{Kind: notify.Added, Status: lvs.StatusRunning, Virtual: "fwm:1", Text: "Added 1"})
		m.Notify(notify.Event{Kind: notify.Added, Status: lvs.StatusRunning, Virtual: "fwm:2", Text: "Added 2"})
		testkit.Same(t, p.subjects(), []string{"Added 2"}, "arrived")
	})
}

func TestCloseTriesOnceAndCountsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := newTestMailer(t)
		setRule(m, testRule())
		p.answer(errAway, false)
		for range maxWaiting + 20 {
			m.Notify(wentDown(testReal))
		}
		synctest.Wait()
		before, start := p.tries, time.Now()
		err := m.Close(t.Context())
		testkit.FailsWith(t, err, "120 email messages", "Close")
		if p.tries != before+1 || time.Since(start) > 0 {
			t.Errorf("%d more tries in %v, want one", p.tries-before, time.Since(start))
		}
	})
}

func TestCloseDoesNotWaitForASilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := newTestMailer(t)
		setRule(m, testRule())
		s := &smtpScript{reply: map[string]string{atGreeting: silence}}
		m.deliver = func(ctx context.Context, l *letter) ([]string,
			error) {
			return sendSMTP(ctx, s.dial, l)
		}
		m.Notify(wentDown(testReal))
		synctest.Wait()
		ctx := testkit.Within(t, 3*time.Second)
		start := time.Now()
		if err := m.Close(ctx); err == nil {
			t.Error("Close: no error")
		}
		testkit.Equal(t, time.Since(start), 3*time.Second, "Close took")
	})
}

// Events wait for a reload that changes the rules of all that fails.
func TestAReloadOfManyRulesIsShort(t *testing.T) {
	const services, recipients = 50_000, 500
	o, rules := newOutbox(func(notify.Event) {}), map[string]Rule{}
	for i := range services {
		r := Rule{SMTP: "192.0.2.1", To: fmt.Sprintf("%d@example.net", i%recipients)}
		rules[fmt.Sprint("fwm:", i)] = r
		o.boxes[r.To] = &box{failing: true, busy: true}
	}
	begun := time.Now()
	o.set(rules)
	if took := time.Since(begun); took > time.Second {
		t.Errorf("it took %v", took)
	}
}
