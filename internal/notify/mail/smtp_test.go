package mail

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ldirectord/checker/wire"
	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
)

// The steps of an SMTP session, as smtpScript names them.
const (
	atGreeting = "greeting"
	atEHLO     = "EHLO"
	atMAIL     = "MAIL"
	atRCPT     = "RCPT"
	atDATA     = "DATA"
	atText     = "."
)

var smtpSteps = []string{atGreeting, atEHLO, atMAIL, atRCPT, atDATA, atText}

// What smtpScript may do instead of sending a reply.
const (
	silence = "silence"
	hangUp  = "hang up"
)

// smtpScript is a mail server that follows a script, on connections in memory.
type smtpScript struct {
	reply    map[string]string // by step, or by a whole command; without one the reply is positive
	commands []string
	mails    []string // their texts, with lines ending in LF
	secure   *tls.Config
}

func (s *smtpScript) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	go s.serve(there)
	return here, nil
}

// serve runs until the connection ends.
func (s *smtpScript) serve(c net.Conn) {
	defer func() { c.Close() }()
	in := bufio.NewReader(c)
	if !s.say(c, atGreeting, "220 test ESMTP") {
		return
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		s.commands = append(s.commands, line)
		word, _, _ := strings.Cut(line, " ")
		good := map[string]string{atDATA: "354 go on", "STARTTLS": "220 go on", "AUTH": "235 ok"}[word]
		good = cmp.Or(good, "250 ok")
		if r, scripted := s.reply[line]; scripted {
			good = r
		}
		if !s.say(c, word, good) {
			return
		}
		if word == "STARTTLS" {
			secured := tls.Server(c, s.secure)
			if secured.Handshake() != nil {
				return
			}
			s.commands = append(s.commands, "TLS")
			c, in = secured, bufio.NewReader(secured)
		}
		if word == atDATA && s.reply[atDATA] == "" {
			if !s.take(in) || !s.say(c, atText, "250 taken") {
				return
			}
		}
	}
}

func (s *smtpScript) take(in *bufio.Reader) bool {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			s.mails = append(s.mails, text.String())
			return true
		}
		text.WriteString(strings.TrimSuffix(strings.TrimPrefix(line, "."), "\r\n") + "\n")
	}
}

func (s *smtpScript) say(c net.Conn, step, good string) bool {
	if r, scripted := s.reply[step]; scripted {
		good = r
	}
	switch good {
	case silence:
		return true
	case hangUp:
		return false
	}
	_, err := fmt.Fprintf(c, "%s\r\n", good)
	return err == nil
}

// testLetter is a letter to these addresses.
func testLetter(to ...string) *letter {
	rule := Rule{To: strings.Join(to, ", "), SMTP: "mail.example.net"}
	e := notify.Event{Time: time.Date(2026, 10, 7, 12, 0, 0, 0, time.UTC), Status: lvs.StatusRunning}
	return newLetter(rule, e, "Deleted real server: 10.2.0.1:80 (10.1.0.1:80)")
}

func TestSMTPSendsOneMailToEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &smtpScript{}
		l := testLetter("a@example.net", "b@example.net")
		again, err := sendSMTP(t.Context(), s.dial, l)
		if again != nil || err != nil {
			t.Fatalf("again %v, error %v", again, err)
		}
		me := userName() + "@" + hostName()
		want := []string{
			"EHLO " + wire.SMTPName(hostName(), nil), "MAIL FROM:<" + me + ">", "RCPT TO:<a@example.net>",
			"RCPT TO:<b@example.net>", "DATA", "QUIT",
		}
		testkit.Same(t, s.commands, want, "the server")
		if len(s.mails) != 1 || s.mails[0] != l.text() {
			t.Errorf("the server took %q, want %q", s.mails, l.text())
		}
	})
}

func TestSMTPFailures(t *testing.T) {
	const (
		later = true
		final = false
	)
	replies := []struct {
		reply string
		again bool
		took  time.Duration
		says  string
	}{
		{silence, later, smtpStepTime, "no answer in 1m0s"},
		{hangUp, later, 0, "closed"},
		{"451 try later", later, 0, "451"},
		{"499 later still", later, 0, "499"},
		{"500 never", final, 0, "500"},
		{"554 not from you", final, 0, "554"},
		{"not SMTP", later, 0, "not SMTP"},
		{strings.Repeat("250-more\r\n", maxSMTPReplies/10+1), later, 0, "more than"},
	}
	for _, step := range smtpSteps {
		for _, r := range replies {
			if step == atEHLO && r.says == "more than" {
				continue // then net/smtp sends HELO, and waits as for a silent server
			}
			t.Run(step+"/"+r.says, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &smtpScript{reply: map[string]string{step: r.reply}}
					if step == atEHLO {
						s.reply["HELO"] = r.reply
					}
					start := time.Now()
					again, err := sendSMTP(t.Context(), s.dial, testLetter("a@example.net"))
					if err == nil || !strings.Contains(err.Error(), r.says) {
						t.Errorf("error %v, want one with %q", err, r.says)
					}
					if len(again) == 1 != r.again {
						t.Errorf("to be tried again: %q", again)
					}
					// also for QUIT
					if took := time.Since(start); took < r.took || took > 2*r.took+smtpStepTime {
						t.Errorf("took %v, want %v", took, r.took)
					}
				})
			})
		}
	}
}

func TestSMTPRecipientsAreJudgedOneByOne(t *testing.T) {
	script := map[string]string{"RCPT TO:<full>": "452 mailbox full", "RCPT TO:<gone>": "550 no such user"}
	testkit.Stories(t, "../../../testdata/mail/recipients.txt", 5, func(t *testing.T, row []string) {
		s := &smtpScript{reply: script}
		again, err := sendSMTP(t.Context(), s.dial, testLetter(strings.Fields(row[1])...))
		testkit.Same(t, again, strings.Fields(row[2]), "to be tried again")
		testkit.Equal(t, fmt.Sprint(len(s.mails)), row[3], "mails")
		if row[4] == "" {
			testkit.OK(t, err)
		} else {
			testkit.FailsWith(t, err, row[4])
		}
	})
}

// A server is asked for what a mail needs, and not for all that it offers.
func TestSMTPAsksForWhatTheMailNeeds(t *testing.T) {
	const all = "250-x\r\n250-8BITMIME\r\n250 SMTPUTF8"
	for _, row := range []struct{ offers, sender, to, body, want string }{
		{all, "root@d1", "ops", "", "MAIL FROM:<root@d1>"},
		{all, "root@d1", "ops", "Läden", "MAIL FROM:<root@d1> BODY=8BITMIME"},
		{all, "root@d1", "büro", "", "MAIL FROM:<root@d1> BODY=8BITMIME SMTPUTF8"}, // it is in the header
		{all, "root@käse", "ops", "", "MAIL FROM:<root@käse> SMTPUTF8"},
		{"250-x\r\n250 8BITMIME", "root@d1", "büro", "Läden", "MAIL FROM:<root@d1> BODY=8BITMIME"},
		{"250-x\r\n250 SMTPUTF8", "root@d1", "büro", "Läden", "MAIL FROM:<root@d1> SMTPUTF8"},
		{"250 x", "root@d1", "büro", "Läden", "MAIL FROM:<root@d1>"},
		{"502 what?", "root@d1", "büro", "Läden", "MAIL FROM:<root@d1>"}, // then it is HELO
		{all, "root\r\nRSET", "ops", "", ""},
		{all, "root\nRSET", "ops", "", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &smtpScript{reply: map[string]string{atEHLO: row.offers}}
			l := testLetter(row.to)
			l.id, l.fromLine, l.sender, l.body = "id", "root", row.sender, row.body
			again, err := sendSMTP(t.Context(), s.dial, l)
			synctest.Wait()
			isMail := func(c string) bool { return strings.HasPrefix(c, atMAIL) }
			got := slices.IndexFunc(s.commands, isMail)
			switch {
			case row.want == "":
				testkit.FailsWith(t, err, "MAIL: the sender has more than one line")
				testkit.Equal(t, fmt.Sprint(got, again), "-1 [ops]", "MAIL, and who gets it again")
			case err != nil || got < 0 || s.commands[got] != row.want:
				t.Errorf("%q: %q, error %v", row, s.commands, err)
			}
		})
	}
}

func TestSMTPWithoutAServerIsTriedAgain(t *testing.T) {
	refused := errors.New("connection refused")
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, refused }
	again, err := sendSMTP(t.Context(), dial, testLetter("a@example.net"))
	if len(again) != 1 || !errors.Is(err, refused) {
		t.Errorf("again %q, error %v", again, err)
	}
}

func TestSMTPSpeaksHELOToAServerThatDoesNotKnowEHLO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &smtpScript{reply: map[string]string{atEHLO: "502 what?"}}
		if _, err := sendSMTP(t.Context(), s.dial, testLetter("a@example.net")); err != nil ||
			len(s.mails) != 1 {
			t.Errorf("error %v, mails %q", err, s.mails)
		}
	})
}

func TestSMTPEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &smtpScript{reply: map[string]string{atMAIL: silence}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := sendSMTP(ctx, s.dial, testLetter("a@example.net")); err == nil {
			t.Error("no error")
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v, want 1s", took)
		}
	})
}

// The server refuses a name without a domain.
func TestSMTPOverLoopback(t *testing.T) {
	l := testkit.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer l.Close()
	bare, _, _ := strings.Cut(hostName(), ".")
	refused := map[string]string{"EHLO " + bare: "504 a full name is needed", "HELO " + bare: "504 as above"}
	s, served := &smtpScript{reply: refused}, make(chan struct{})
	go func() {
		defer close(served)
		if c, err := l.Accept(); err == nil {
			s.serve(c)
		}
	}()
	x := testLetter("a@example.net")
	x.via = l.Addr().String()
	if again, err := deliver(t.Context(), x); again != nil || err != nil {
		t.Fatalf("again %v, error %v", again, err)
	}
	<-served
	if len(s.mails) != 1 {
		t.Errorf("the server took %q", s.mails)
	}
}

func TestSMTPServerIsAskedAtPort25UnlessItSaysAnother(t *testing.T) {
	for server, want := range map[string]string{
		"mail.example.net":     "mail.example.net:25",
		"192.0.2.1":            "192.0.2.1:25",
		"mail.example.net:587": "mail.example.net:587",
		"2001:db8::25":         "[2001:db8::25]:25",
		"[2001:db8::25]":       "[2001:db8::25]:25",
		"[2001:db8::25]:587":   "[2001:db8::25]:587",
	} {
		testkit.Equal(t, smtpAddress(server), want, "smtpAddress(", server)
	}
}
