package parser

import (
	"regexp"
	"slices"
	"strings"
)

// This file reads the values that are about mail.

func readMailFrequency(v *value) (Seconds, *problem) {
	if v.text == "" || !isDigit(v.text[0]) {
		return 0, bad("%s does not begin with a digit; it is a number of seconds, 0 for no reminders",
			quote(v.text))
	}
	return number[Seconds](0, 0)(v)
}

var mailStates = map[string]MailStatus{
	"starting": MailStarting, "running": MailRunning, "stopping": MailStopping, "reloading": MailReloading,
	"all": MailAll, "none": 0,
}

func readMailStatus(v *value) (status MailStatus, p *problem) {
	const allowed = "it is a list of starting, running, stopping and reloading with commas, or all, or none"
	states := splitList(v.text)
	if len(states) == 0 {
		v.warn(suspicious, "an empty list means none; "+allowed)
	}
	for _, state := range states {
		bit, ok := mailStates[state]
		if !ok {
			return 0, bad("%s is not a state of the daemon; %s", quote(state), allowed)
		}
		status |= bit
	}
	if status != 0 && slices.Contains(states, "none") {
		return 0, bad("none excludes all others; %s", allowed)
	}
	return status, nil
}

var comma = regexp.MustCompile(`[\s\v]*,[\s\v]*`)

// splitList splits words at commas with blanks around them, and drops empty words at the end.
func splitList(text string) []string {
	list := comma.Split(text, -1)
	for len(list) > 0 && list[len(list)-1] == "" {
		list = list[:len(list)-1]
	}
	return list
}

func readMailServer(v *value) (string, *problem) {
	host := leading(v.text, func(c byte) bool {
		return isLetter(c) || isDigit(c) || strings.IndexByte("._+-", c) >= 0
	})
	if host == "" {
		return "", bad("%s is not a mail server; it is a host name or IPv4 address without quotes",
			quote(v.text))
	}
	if host != v.text {
		v.warn(loose, "of %s only the host %s counts; mail goes to port 25", quote(v.text), quote(host))
	}
	return host, nil
}
