package parser

import (
	"regexp"
	"slices"

	"ldirectord/internal/lvs"
)

// This file reads the values of directives for mail.

func readMailFrequency(v *value) Seconds {
	if v.text == "" || !isDigit(v.text[0]) {
		v.bad("does not begin with a digit; it must be a number of seconds, 0 for no reminders")
	}
	return Seconds(number(0, 0)(v))
}

// MailTLS decides whether mail is sent over TLS.
type MailTLS uint8

// The values of smtptls.
const (
	MailInClear MailTLS = iota
	MailIfOffered
	MailOnlyOver
)

// String returns the value as it is written in the file.
func (m MailTLS) String() string { return [...]string{"no", "offered", "required"}[m] }

func readMailStatus(v *value) []lvs.Status {
	const allowed = "it must be a list of starting, running, stopping and reloading, separated by commas, or " +
		"all, or none"
	states := comma.Split(v.text, -1)
	for len(states) > 0 && states[len(states)-1] == "" {
		states = states[:len(states)-1]
	}
	if len(states) == 0 {
		v.warn(suspicious, "an empty list means none; "+allowed)
	}
	for _, state := range states {
		if state != "all" && state != "none" && !slices.Contains(lvs.Statuses, lvs.Status(state)) {
			v.wrong("%q is not a state of the daemon; %s", state, allowed)
		}
	}
	list := slices.DeleteFunc(slices.Clone(lvs.Statuses), func(s lvs.Status) bool {
		return !slices.Contains(states, string(s)) && !slices.Contains(states, "all")
	})
	if len(list) > 0 && slices.Contains(states, "none") {
		v.wrong("none excludes all others; %s", allowed)
	}
	return list
}

var comma = regexp.MustCompile(`[\s\v]*,[\s\v]*`)

func readMailServer(v *value) string {
	if addr, err := lvs.ParseAddr(v.text); err == nil && addr.Is6() {
		return addr.String()
	}
	host := leading(v.text, isHostByte)
	if host == "" {
		v.bad("is not a mail server; it must be a host name or address without quotes")
	}
	if host != v.text {
		v.warn(loose, "of %q only the host %q is used; the port is that of smtpport, or 25", v.text, host)
	}
	return host
}
