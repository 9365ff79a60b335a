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
	e := notify.Event{Time: testkit.Time("2026-10-07T12:00:00Z"), Status: lvs.StatusRunning}
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
	for _, step := range smtpSteps {
		for _, row := range testkit.Table(t, "../../../testdata/mail/failures.txt", 5) {
			if !strings.Contains(row[4], step) {
				continue
			}
			t.Run(step+"/"+row[3], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { fails(t, step, row) })
			})
		}
	}
}

// fails has a server fail at a step, as a row says.
func fails(t *testing.T, step string, row []string) {
	reply := row[0]
	if reply == "endless" {
		reply = strings.Repeat("250-more\r\n", maxSMTPReplies/10+1)
	}
	s := &smtpScript{reply: map[string]string{step: reply}}
	if step == atEHLO {
		s.reply["HELO"] = reply
	}
	start := time.Now()
	again, err := sendSMTP(t.Context(), s.dial, testLetter("a@example.net"))
	testkit.FailsWith(t, err, row[3])
	testkit.Equal(t, len(again) == 1, row[1] == "later", "to be tried again")
	// also for QUIT
	want := testkit.Must(time.ParseDuration(row[2]))(t)
	if took := time.Since(start); took < want || took > 2*want+smtpStepTime {
		t.Errorf("took %v, want %v", took, want)
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
	lines := strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace
	for _, row := range testkit.Table(t, "../../../testdata/mail/asks.txt", 5) {
		synctest.Test(t, func(t *testing.T) {
			s := &smtpScript{reply: map[string]string{atEHLO: lines(row[0])}}
			l := testLetter(row[2])
			l.id, l.fromLine, l.sender, l.body = "id", "root", lines(row[1]), row[3]
			again, err := sendSMTP(t.Context(), s.dial, l)
			synctest.Wait()
			isMail := func(c string) bool { return strings.HasPrefix(c, atMAIL) }
			got := slices.IndexFunc(s.commands, isMail)
			switch {
			case row[4] == "":
				testkit.FailsWith(t, err, "MAIL: the sender address contains a line break")
				testkit.Equal(t, fmt.Sprint(got, again), "-1 [ops]", "MAIL, and who gets it again")
			case err != nil || got < 0 || s.commands[got] != row[4]:
				t.Errorf("%q: %q, error %v", row, s.commands, err)
			}
		})
	}
}

func TestSMTPWithoutAServerIsTriedAgain(t *testing.T) {
	refused := errors.New("connection refused")
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, refused }
	again, err := sendSMTP(t.Context(), dial, testLetter("a@example.net"))
	testkit.Is(t, err, refused)
	testkit.Equal(t, len(again), 1, "to be tried again")
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
		ctx := testkit.Within(t, time.Second)
		start := time.Now()
		if _, err := sendSMTP(ctx, s.dial, testLetter("a@example.net")); err == nil {
			t.Error("no error")
		}
		testkit.Equal(t, time.Since(start), time.Second, "took")
	})
}

// The server refuses a name without a domain.
func TestSMTPOverLoopback(t *testing.T) {
	l := testkit.Listen(t)
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
	x.smtp = l.Addr().String()
	if again, err := deliver(t.Context(), x); again != nil || err != nil {
		t.Fatalf("again %v, error %v", again, err)
	}
	<-served
	testkit.Equal(t, len(s.mails), 1, "mails that the server took")
}
