package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// mail is what an SMTP server was given.
type mail struct {
	From string
	To   []string
	Data []string // lines
}

var (
	service      = regexp.MustCompile(`^\[([^\]]*)\] (.*)$`)
	inaccessible = regexp.MustCompile(`(?i)^inaccessible`)
)

// describe tells what a mail says in a few lines, and what its subject is about.
func (m mail) describe() (subject string, lines []string) {
	header := map[string]string{}
	body := m.Data
	for i, line := range m.Data {
		if line == "" {
			body = m.Data[i+1:]
			break
		}
		name, value, _ := strings.Cut(line, ":")
		header[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	subject = subjectOf(header["subject"])
	var recipients []string
	for _, to := range m.To {
		for _, one := range strings.Split(to, ",") {
			recipients = append(recipients, strings.TrimSpace(one))
		}
	}
	slices.Sort(recipients)
	lines = []string{
		fmt.Sprintf("mail to=%s envelope-from=%s rcpt=%s", header["to"], m.From, strings.Join(recipients, ",")),
		"  from: " + header["from"],
		"  subject: " + subject,
	}
	for _, line := range body {
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.ToLower(name), strings.TrimSpace(value)
		if name == "log-message" {
			if value != header["subject"] {
				value = "differs from subject"
			} else {
				value = "subject"
			}
		}
		if strings.TrimSpace(line) != "" {
			lines = append(lines, fmt.Sprintf("  body %s = %s", name, value))
		}
	}
	return subject, lines
}

// subjectOf folds the wording of a subject as that of the log.
func subjectOf(text string) string {
	prefix := ""
	if m := service.FindStringSubmatch(text); m != nil && !inAddress.MatchString("["+m[1]+"]") {
		prefix, text = "["+m[1]+"] ", m[2]
	}
	if inaccessible.MatchString(text) {
		return prefix + "inaccessible " + strings.Join(inAddress.FindAllString(text, -1), " via ")
	}
	if e, ok := eventOf(text); ok {
		return prefix + e.text
	}
	return prefix + "other: " + text
}
