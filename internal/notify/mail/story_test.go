package mail

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
)

// changed is a rule after changes like freq=10s.
func changed(t *testing.T, r Rule, changes []string) Rule {
	t.Helper()
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		values := strings.FieldsFunc(value, func(r rune) bool { return r == ',' })
		switch name {
		case "freq":
			r.Freq = testkit.Must(time.ParseDuration(value))(t)
		case "to":
			r.To = value
		case "from":
			r.From = value
		case "smtp":
			r.SMTP = value
		case "password":
			r.Password = func() (string, error) { return value, nil }
		case "statuses":
			r.Statuses = nil
			for _, s := range values {
				r.Statuses = append(r.Statuses, lvs.Status(s))
			}
		default:
			t.Fatalf("no setting is called %s", name)
		}
	}
	return r
}

// happened is the event of a line: KIND STATE TEXT, of a server whose name is the last word.
func happened(words []string) notify.Event {
	text, real := strings.Join(words[2:], " "), words[len(words)-1]
	return notify.Event{Time: time.Now(), Kind: notify.Kind(words[0]), Virtual: testVirtual, Real: real, Text: text,
		Status: lvs.Status(strings.Trim(words[1], "-"))}
}

// take takes one step of a row.
func take(t *testing.T, m *Mailer, p *postbox, rules map[string]Rule, words []string) {
	t.Helper()
	switch words[0] {
	case "down":
		m.Down(found(words[1]), true)
		m.Notify(happened([]string{"deleted", "running", "Deleted", words[1]}))
	case "up":
		m.Down(found(words[1]), false)
		m.Notify(happened([]string{"added", "running", "Added", words[1]}))
	case "found": // down or not, without an event of the table
		m.Down(found(words[2]), words[1] == "down")
	case "fallback":
		e := happened([]string{"deleted", "running", "Deleted", words[1]})
		e.Fallback = true
		m.Notify(e)
	case "elsewhere":
		e := happened([]string{"added", "running", "Added", words[1]})
		e.Virtual = testOther
		m.Notify(e)
	case "mail":
		answer(t, p, words[1], words[len(words)-1])
	case "reload":
		if slices.Contains(words, "nothing") {
			m.Set(nil)
			return
		}
		rules[testVirtual] = changed(t, rules[testVirtual], words[1:])
		m.Set(rules)
	case "another":
		delete(rules, testOther)
		if !slices.Contains(words, "nothing") {
			rules[testOther] = changed(t, testRule(), words[1:])
		}
		m.Set(rules)
	case "end":
		testkit.OK(t, m.Close(t.Context()))
	default:
		if d, err := time.ParseDuration(words[0]); err == nil {
			time.Sleep(d)
			return
		}
		m.Notify(happened(words))
	}
}

// answer changes what becomes of mail.
func answer(t *testing.T, p *postbox, verb, word string) {
	t.Helper()
	switch verb {
	case "reaches":
		p.reaches = word
	case "takes":
		p.takes(testkit.Must(time.ParseDuration(word))(t))
	default:
		p.reaches = ""
		failures := map[string]error{"fails": errAway, "refused": errors.New("554 \"go\r\naway\"")}
		p.answer(failures[word], verb == "is")
	}
}

func TestStories(t *testing.T) {
	testkit.Stories(t, "../../../testdata/mail/stories.txt", 4, func(t *testing.T, row []string) {
		m, p := newTestMailer(t)
		rules := map[string]Rule{testVirtual: changed(t, testRule(), strings.Fields(row[1]))}
		m.Set(rules)
		for step := range strings.SplitSeq(row[2], "; ") {
			take(t, m, p, rules, strings.Fields(step))
			synctest.Wait()
		}
		testkit.Equal(t, strings.Join(p.log, "; "), row[3])
	})
}

// note writes down when something arrives. The names of servers are short in these rows.
func (p *postbox) note(text string) {
	short := strings.NewReplacer(" real server: ", " ", " (10.1.0.1:7000)", "").Replace(text)
	p.log = append(p.log, fmt.Sprint(time.Since(p.began), " ", short))
}
