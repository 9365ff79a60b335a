package parser

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
)

// This file contains the functions that read global directives with rules of their own.

// facilities are the facilities of syslog(3) in the order of their numbers, which are 0 to 11 and firstLocal to 23.
var facilities = strings.Fields("kern user mail daemon auth syslog lpr news uucp cron authpriv ftp " +
	"local0 local1 local2 local3 local4 local5 local6 local7")

const firstLocal = 16

// readLogFile reads logfile. It tests whether the file can be opened, unless an earlier line directs the log to
// standard output.
func readLogFile(v *value) string {
	text := inQuotes(v)
	switch {
	case v.problem != nil:
		if strings.HasPrefix(v.text, "/") {
			v.problem.Text = "the value is not in double quotes; write logfile = " + quote(v.text)
		}
	case !strings.HasPrefix(text, "/"):
		if _, ok := SyslogFacility(text); !ok {
			v.warn(suspicious, "%q is neither a path that begins with / nor a syslog facility%s",
				text, DidYouMean(text, slices.Sorted(slices.Values(facilities))))
		}
	case !v.globals.Supervised:
		v.try(v.opts.TryFile, text, logfileClosed,
			"the log file cannot be opened (%s); it must be a file that can be appended to, "+
				"or a syslog facility")
	}
	return text
}

// SyslogFacility returns the number of a facility of syslog(3).
func SyslogFacility(name string) (number int, ok bool) {
	number = slices.Index(facilities, name)
	if local := slices.Index(facilities, "local0"); number >= local {
		return number - local + firstLocal, true
	}
	return number, number >= 0
}

// readExecute adds the name of another configuration, unless it has been added already.
func readExecute(v *value) {
	name := textOrNone(v)
	switch {
	case v.problem != nil || name == "":
		return
	case v.globals.executes[name]:
		v.warn(repeated, "the configuration %q is named twice", name)
		return
	case v.globals.executes == nil:
		v.globals.executes = map[string]bool{}
	}
	v.globals.executes[name] = true
	v.globals.Execute = append(v.globals.Execute, name)
}

func readMaintenanceDir(v *value) string {
	path := textOrNone(v)
	if path != "" && v.opts.DirExist != nil && !v.opts.DirExist(path) {
		v.warn(missingDir, "the maintenance directory %q does not exist", path)
	}
	return path
}

// readListen reads an address and a port. It accepts no names, because a name could resolve to the address of another
// interface.
func readListen(v *value) netip.AddrPort {
	const allowed = "it must be an address and port such as 127.0.0.1:9797 or [::1]:9797"
	text := unquote(v.text)
	a, err := netip.ParseAddrPort(text)
	switch {
	case err != nil && strings.HasPrefix(text, ":") && all(text[1:], isDigit):
		v.wrong("%q has no address; %s; write 0.0.0.0%s for every address", text, allowed, text)
	case err != nil || a.Addr().Zone() != "" || a.Addr().Is4In6():
		v.wrong("%q is not an address and port; %s", text, allowed)
	case a.Port() == 0:
		v.wrong("port 0 cannot be used; %s", allowed)
	}
	return a
}

// readTimeouts reads TCP/TCPFIN/UDP.
func readTimeouts(v *value) (all lvs.Timeouts) {
	words := strings.Split(v.text, "/")
	for i, word := range words {
		seconds, ok := natural(word, 0, lvs.MaxIdle)
		if !ok || len(words) != len(all) {
			v.bad("is not allowed; it must be TCP/TCPFIN/UDP, three whole numbers of seconds from 0 to "+
				"%d, such as 7500/120/300; 0 leaves a value as it is", lvs.MaxIdle)
			return all
		}
		all[i] = uint32(seconds)
	}
	if all == (lvs.Timeouts{}) {
		v.warn(noEffect, "timeouts has no effect: 0 leaves each value as it is")
	}
	return all
}

// readFallbackCommand reads a command. Outside of sections, empty quotes mean no command.
func readFallbackCommand(v *value) string {
	if v.section == nil {
		return textOrNone(v)
	}
	return optionallyQuoted(v)
}

// readWebhook reads a URL. No message shows the URL, because it may contain a token.
func readWebhook(v *value) string {
	text := unquote(v.text)
	u, err := url.Parse(text)
	usable := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.Fragment == ""
	if usable && u.Port() != "" {
		_, usable = natural(u.Port(), 1, maxPort)
	}
	if !usable {
		v.wrong("the value is not the URL of a webhook; it must be https://HOST[:PORT][/PATH][?QUERY], or " +
			"the same with http")
	}
	return text
}
