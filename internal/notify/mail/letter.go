package mail

import (
	"cmp"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"mime"
	"net/mail"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ldirectord/internal/notify"
	"ldirectord/internal/printable"
)

// maxMailLine is the maximum length of a line in a mail, in bytes. It is below the limit of 998 in RFC 5322, 2.1.1.
const maxMailLine = 900

// letter is one mail. Its texts contain no control characters.
type letter struct {
	virtual  string // the virtual service whose rule it follows
	way             // that of the rule
	password func() (string, error)
	roots    *x509.CertPool // nil: the system's
	sender   string         // the envelope sender
	to       []string       // the envelope recipients that have not received it yet
	about    string         // what happened
	reminder bool           // it reminds of a server that is still down
	count    int            // how many alerts it reports
	summary  bool           // it is the summary of dropped alerts, see summarize
	tries    int
	date     time.Time

	id, fromLine, toLine, subject, reason, body string
}

// newLetter writes the mail about an event. It has the same subject and lines as a mail of the Perl ldirectord,
// followed by details if they are configured.
func newLetter(rule Rule, e notify.Event, about string) *letter {
	host := hostName()
	l := &letter{
		virtual: e.Virtual,
		sender:  userName() + "@" + host,
		about:   plain(about),
		count:   1,
		date:    e.Time,
		id:      rand.Text() + "@" + host,
	}
	l.goBy(rule)
	l.subject = l.about
	if rule.ServiceName != "" {
		l.subject = plain("[" + rule.ServiceName + "] " + l.about)
	}
	l.body = fmt.Sprintf("ldirectord host: %s\nLog-Message: %s\nDaemon-Status: %s\n", host, l.subject, e.Status)
	if e.Kind == notify.Deleted || e.Kind == notify.Quiescent {
		l.reason = plain(e.Reason) // in the header too, for programs
	}
	if details := detail("Service name", rule.ServiceName) + detail("Comment", rule.Comment); details != "" {
		l.body += "\n" + details + "\n"
	}
	if more := further(rule, e); rule.Why != "" && more != "" {
		l.body += "\n" + more
	}
	return l
}

// goBy applies the settings of a rule to a letter.
func (l *letter) goBy(r Rule) {
	l.way, l.password = r.way(), r.Password
	l.fromLine, l.toLine = plain(r.From), strings.TrimSpace(printable.Line(r.To))
	l.to = []string{l.toLine}
	if l.smtp != "" { // sendmail parses the header itself
		l.to = addresses(l.toLine)
		l.fromLine = cmp.Or(l.fromLine, l.sender)
	}
}

// redirect applies another rule to a letter. It leaves out recipients who already have the letter, and reports whether
// any others remain.
func (l *letter) redirect(r Rule) bool {
	if r.To == "" {
		return false
	}
	var got []string
	if l.smtp != "" {
		got = slices.DeleteFunc(addresses(l.toLine), func(a string) bool { return slices.Contains(l.to, a) })
	}
	l.goBy(r)
	l.tries = 0
	l.to = slices.DeleteFunc(l.to, func(a string) bool { return slices.Contains(got, a) })
	return len(l.to) > 0
}

// further returns the details that a mail of the Perl ldirectord lacks, one per line.
func further(rule Rule, e notify.Event) (lines string) {
	label := "Reason"
	if e.Kind == notify.Added || e.Kind == notify.Restored {
		label = "Last failure"
	}
	lines = detail(label, e.Reason)
	if e.Before != "" {
		lines += fmt.Sprintf("State before: %s for %v\n", e.Before, e.Lasted.Round(time.Second))
	}
	if e.Servers > 0 {
		lines += fmt.Sprintf("Servers in service: %d of %d\n", e.Left, e.Servers)
	}
	if e.Name != "" {
		lines += plain("To find out more: "+rule.Why+" "+printable.ShellLine(e.Virtual, e.Name)) + "\n"
	}
	return lines
}

// detail returns a labelled line of a mail, or "" if the text is empty.
func detail(label, text string) string {
	if text == "" {
		return ""
	}
	return label + ": " + plain(text) + "\n"
}

// box names the queue of a letter. Letters to the same recipients through the same server are sent one after another.
func (l *letter) box() string {
	return strings.Join(append([]string{l.smtp, l.tls, l.user, l.fromLine}, l.to...), "\n")
}

// text returns the mail with its header. Lines end in LF. In addition to the fields of the Perl ldirectord, the header
// has those that RFC 5322 and RFC 3834 ask for, the reason, and MIME fields if the body is not ASCII. If a mail arrives
// late, the date shows when it was written.
func (l *letter) text() string {
	var b strings.Builder
	if l.fromLine != "" {
		fmt.Fprintf(&b, "From: %s\n", encodedAddresses(l.fromLine))
	}
	fmt.Fprintf(&b, "To: %s\nSubject: %s\n", encodedAddresses(l.toLine), encodedText(l.subject))
	fmt.Fprintf(&b, "Date: %s\nMessage-ID: <%s>\nAuto-Submitted: auto-generated\n", l.date.Format(time.RFC1123Z),
		l.id)
	if l.reason != "" {
		fmt.Fprintf(&b, "X-Ldirectord-Reason: %s\n", encodedText(l.reason))
	}
	if !isASCII(l.body) {
		b.WriteString(
			"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n")
	}
	b.WriteString("\n" + l.body)
	return b.String()
}

// addresses returns the mailboxes of an emailalert value. A value that is not a valid list according to RFC 5322, such
// as a list of local names, is split at the commas.
func addresses(list string) []string {
	var found []string
	if parsed, err := mail.ParseAddressList(list); err == nil {
		for _, a := range parsed {
			found = append(found, a.Address)
		}
	} else {
		for part := range strings.SplitSeq(list, ",") {
			found = append(found, inBrackets(part))
		}
	}
	return slices.DeleteFunc(found, func(a string) bool {
		return a == "" || strings.ContainsAny(a, " <>\"") // these would end the address in an SMTP command
	})
}

// inBrackets returns the address from "Name <address>".
func inBrackets(s string) string {
	if open, end := strings.IndexByte(s, '<'), strings.LastIndexByte(s, '>'); open >= 0 && end > open {
		s = s[open+1 : end]
	}
	return strings.TrimSpace(s)
}

// encodedText returns the text of a header line in ASCII. Text that must be encoded (RFC 2047) is also folded.
func encodedText(s string) string {
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", s), "?= =?", "?=\n =?")
}

// encodedAddresses encodes the names in a list of addresses as ASCII. A list that fits on one line is returned
// unchanged if it is in ASCII or is not a valid list (RFC 5322). A longer list that is not valid is only folded at the
// commas. Any other list is rewritten with one address per line.
func encodedAddresses(list string) string {
	parsed, err := mail.ParseAddressList(list)
	switch isLong := len(list) > maxMailLine; {
	case isLong && err != nil:
		return strings.ReplaceAll(list, ",", ",\n ")
	case !isLong && (err != nil || isASCII(list)):
		return list
	}
	var encoded []string
	for _, a := range parsed {
		encoded = append(encoded, a.String())
	}
	return strings.Join(encoded, ",\n ")
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// plain converts a text to one line for a mail.
func plain(s string) string {
	line, _ := printable.Cut(printable.Line(s), maxMailLine)
	return strings.TrimSpace(line)
}

// userName looks up the name of the daemon's user in the user database, because a resource agent may start the daemon
// without the variable USER.
func userName() string {
	uid := strconv.Itoa(os.Getuid())
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return "uid" + uid
}

func hostName() string {
	name, _ := os.Hostname()
	return cmp.Or(plain(name), "localhost")
}
