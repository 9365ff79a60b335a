package mail

import (
	"fmt"
	"mime"
	"net/mail"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ldirectord/internal/lvs"
	"ldirectord/internal/notify"
	"ldirectord/internal/testkit"
)

func TestNothingCanBeSlippedIntoAMail(t *testing.T) {
	const evil = "x\r\nBcc: all@example.net\n.\r\nMAIL FROM:<y>\x1b[2J\u0085\u2028\xff"
	rule := Rule{To: "a@example.net\r\nBcc: b@example.net", From: "me\nBcc: c@example.net", SMTP: "mail",
		ServiceName: evil, Comment: evil}
	l := newLetter(rule, notify.Event{Status: lvs.StatusRunning}, evil)
	for i, line := range strings.Split(l.text(), "\n") {
		if strings.HasPrefix(strings.ToLower(line), "bcc") || line == "." || strings.HasPrefix(line, "MAIL") {
			t.Errorf("line %d is %q", i, line)
		}
		if strings.ContainsAny(line, "\r\x1b\u0085\u2028") {
			t.Errorf("line %d has control characters: %q", i, line)
		}
	}
	for _, to := range l.to {
		if strings.ContainsAny(to, " \r\n<>") {
			t.Errorf("recipient %q", to)
		}
	}
}

// A mail has the lines of the Perl ldirectord. With emailalertdetail it has more after them: the reason, how long the
// server was in the other state, which servers are left, and where to look. The reason of a failure is also in the
// header.
func TestLetters(t *testing.T) {
	var all strings.Builder
	const reason = "connect: connection refused\nx"
	for _, event := range []notify.Event{
		{Kind: notify.Deleted, Reason: reason, Virtual: "tcp:192.0.2.1:80", Name: "192.0.2.21:80",
			Before: "up", Lasted: 3*time.Hour + 400*time.Millisecond, Left: 1, Servers: 3},
		{Kind: notify.Quiescent, Reason: reason, Servers: 3}, {Kind: notify.Restored, Reason: reason},
		{Kind: notify.Added, Reason: "refused"}, {Kind: notify.Drained, Before: "up", Lasted: time.Second},
		{Kind: notify.Deleted},
	} {
		event.Status, event.Time = lvs.StatusRunning, testkit.Time("2026-10-07T12:00:00Z")
		for _, rule := range []Rule{
			{To: "a@example.net", SMTP: "mail"},
			{To: "root, a@example.net", From: "LVS watch <lvs@example.net>", ServiceName: "Web shop",
				Comment: "call 1234 when down"},
			{To: "a@example.net", Why: "ldirectord www.cf why"},
		} {
			l := newLetter(rule, event, "Event of a server: 192.0.2.21:80 (192.0.2.1:80)")
			fmt.Fprintf(&all, "==== %s, from %s to %q\n%s", event.Kind, l.sender, l.to, l.text())
		}
	}
	text := strings.NewReplacer(userName()+"@"+hostName(), "USER@HOST",
		"host: "+hostName(), "host: HOST").Replace(all.String())
	testkit.Golden(t, "../../../testdata/mail/letters", messageID.ReplaceAllString(text, "Message-ID: ID"))
}

var messageID = regexp.MustCompile(`(?i)Message-ID: <.*>`)

func TestMailIsReadableByTheStandard(t *testing.T) {
	rule := Rule{To: "Überwacher <a@example.net>", From: "Wächter <lvs@example.net>", SMTP: "mail",
		ServiceName: strings.Repeat("Größe ", 20), Comment: strings.Repeat("é", maxMailLine)}
	at := time.Date(2026, 10, 7, 12, 0, 0, 0, time.FixedZone("", 7200))
	l := newLetter(rule, notify.Event{Time: at, Status: lvs.StatusRunning, Kind: notify.Deleted, Reason: "Größe 大"},
		"Added real server: x (y)")
	for line := range strings.SplitSeq(l.text(), "\n") {
		if len(line) > 998 {
			t.Errorf("a line has %d bytes", len(line))
		}
	}
	m := testkit.Must(mail.ReadMessage(strings.NewReader(l.text())))(t)
	subject := testkit.Must(new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")))(t)
	testkit.Equal(t, subject, l.subject)
	raw := m.Header.Get("X-Ldirectord-Reason")
	if reason, err := new(mime.WordDecoder).DecodeHeader(raw); err != nil || reason != "Größe 大" || !isASCII(raw) {
		t.Errorf("reason %q, %q, %v", raw, reason, err)
	}
	if date, err := m.Header.Date(); err != nil || !date.Equal(at) {
		t.Errorf("date %v, %v; want %v", date, err, at)
	}
	testkit.Equal(t, testkit.Must(m.Header.AddressList("From"))(t)[0].Name, "Wächter")
	testkit.Equal(t, testkit.Must(m.Header.AddressList("To"))(t)[0].Address, "a@example.net")
	if m.Header.Get("Message-Id") == "" || m.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("header %v", m.Header)
	}
}

func TestAddresses(t *testing.T) {
	read := strings.NewReplacer(`\s`, " ", `\n`, "\n", `\x7f`, "\x7f").Replace
	for _, row := range testkit.Table(t, "../../../testdata/mail/addresses.txt", 3) {
		text := read(row[1])
		got := map[string]string{"list": strings.Join(addresses(text), " "), "brackets": inBrackets(text),
			"encoded": encodedAddresses(text), "server": smtpAddress(text)}
		testkit.Equal(t, got[row[0]], read(row[2]), row[0], row[1])
	}
}

func TestPlainKeepsWholeCharacters(t *testing.T) {
	testkit.Equal(t, plain("a\u009b31m\u202e\u2028b\xff é"), `a\u009b31m\u202e\u2028b\xff é`)
	got := plain(strings.Repeat("é", maxMailLine))
	if len(got) > maxMailLine || got != strings.Repeat("é", len(got)/2) {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-2:])
	}
}

func TestASCIIEnds(t *testing.T) {
	if isASCII("\u0080") || !isASCII("\u007f") {
		t.Error("ASCII ends at 0x7f")
	}
}

// A cluster manager starts the daemon without the environment of a user (resource-agents 01ccd21e2). The sender is
// the user of the process nevertheless.
func TestTheSenderNeedsNoEnvironment(t *testing.T) {
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Skip(err)
	}
	name := ""
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == strconv.Itoa(os.Getuid()) && name == "" {
			name = f[0]
		}
	}
	if name == "" {
		t.Skip("this user is not in /etc/passwd")
	}
	for _, v := range []string{"USER", "LOGNAME", "USERNAME", "HOME"} {
		t.Setenv(v, "somebody-else")
		testkit.OK(t, os.Unsetenv(v))
	}
	l := newLetter(Rule{To: "admin@example.net"}, notify.Event{Time: time.Now()}, "text")
	testkit.Equal(t, l.sender, name+"@"+testkit.Must(os.Hostname())(t), "the sender")
}
