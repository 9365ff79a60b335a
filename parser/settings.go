package parser

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"ldirectord/printable"
)

// This file reads the values that have rules of their own.

func readCallback(g *globals, v *value) *problem {
	text, p := v.inQuotes()
	if p == nil {
		g.callback = text
	}
	return p
}

// facilities of syslog(3).
var facilities = []string{"auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "syslog", "user", "uucp",
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}

// readLogFile tries the file, unless a line above says that logging goes to standard output.
func readLogFile(g *globals, v *value) *problem {
	text, p := v.inQuotes()
	if p != nil {
		return p
	}
	switch {
	case !strings.HasPrefix(text, "/"):
		if !slices.Contains(facilities, text) {
			v.warn(suspicious, "%s is neither a path that begins with / nor a syslog facility%s", quote(text), DidYouMean(text, facilities))
		}
	case g.supervised != yes && g.opts.TryFile != nil:
		if err := g.opts.TryFile(text); err != nil {
			return refuse(logfileClosed, "the log file cannot be opened (%s); it is a file that can be appended to, or a syslog facility",
				printable.Text(err.Error()))
		}
	}
	g.logFile = text
	return nil
}

func readExecute(g *globals, v *value) *problem {
	name := unquote(v.text)
	if v.text == `""` {
		v.warn(noEffect, "the value is empty")
		return nil
	}
	if name == "" {
		return bad("the value is empty; it is the name of another configuration")
	}
	if g.executes[name] {
		v.warn(repeated, "the configuration %s is named before", quote(name))
		return nil
	}
	if g.executes == nil {
		g.executes = map[string]bool{}
	}
	g.executes[name] = true
	g.execute = append(g.execute, name)
	return nil
}

func readMaintenanceDir(g *globals, v *value) *problem {
	p := textOrNone(func(g *globals) *string { return &g.maintenanceDir })(g, v)
	if p != nil || g.maintenanceDir == "" {
		return p
	}
	if g.opts.DirExist != nil && !g.opts.DirExist(g.maintenanceDir) {
		v.warn(missingDir, "the maintenance directory %s does not exist", quote(g.maintenanceDir))
	}
	return nil
}

func readCheckCount(s *scope, v *value) *problem {
	v.warn(deprecated, "checkcount is deprecated: it is the number of tries of one ping; failurecount is the number of failed checks")
	return number(1, 0, func(s *scope) *int64 { return &s.checkCount })(s, v)
}

func readWindow(s *scope, v *value) *problem {
	need, size, found := strings.Cut(v.text, "/")
	n, err := strconv.ParseInt(strings.TrimRight(need, " "), 10, 16)
	m, err2 := strconv.ParseInt(strings.TrimLeft(size, " "), 10, 16)
	if !found || err != nil || err2 != nil || n < 1 || n > m || m > largestWindow {
		return bad("%s is not a window; it is N/M with 1 <= N <= M <= %d, such as 7/10", quote(v.text), largestWindow)
	}
	s.windowNeed, s.windowSize = n, m
	return nil
}

func readMailFrequency(s *scope, v *value) *problem {
	if v.text == "" || !isDigit(v.text[0]) {
		return bad("%s does not begin with a digit; it is a number of seconds, 0 for no reminders", quote(v.text))
	}
	return number(0, 0, func(s *scope) *int64 { return &s.mailFreq })(s, v)
}

var mailStates = map[string]MailStatus{
	"starting": MailStarting, "running": MailRunning, "stopping": MailStopping, "reloading": MailReloading, "all": MailAll, "none": 0,
}

func readMailStatus(s *scope, v *value) *problem {
	const allowed = "it is a list of starting, running, stopping and reloading with commas, or all, or none"
	var status MailStatus
	states := splitList(v.text)
	if len(states) == 0 {
		v.warn(suspicious, "an empty list means none; "+allowed)
	}
	for _, state := range states {
		bit, ok := mailStates[state]
		if !ok {
			return bad("%s is not a state of the daemon; %s", quote(state), allowed)
		}
		status |= bit
	}
	if status != 0 && slices.Contains(states, "none") {
		return bad("none excludes all others; %s", allowed)
	}
	s.mailStatus = status
	return nil
}

// splitList parts words at commas with blanks around them, and drops empty words at the end.
func splitList(text string) []string {
	list := strings.Split(text, ",")
	for i := range list {
		if i > 0 {
			list[i] = list[i][skipSpace(list[i], 0):]
		}
		if i < len(list)-1 {
			list[i] = trimRight(list[i])
		}
	}
	for len(list) > 0 && list[len(list)-1] == "" {
		list = list[:len(list)-1]
	}
	return list
}

func readSMTP(s *scope, v *value) *problem {
	host := leading(v.text, func(c byte) bool {
		return isLetter(c) || isDigit(c) || strings.IndexByte("._+-", c) >= 0
	})
	if host == "" {
		return bad("%s is not a mail server; it is a host name or IPv4 address without quotes", quote(v.text))
	}
	if host != v.text {
		v.warn(loose, "of %s only the host %s counts; mail goes to port 25", quote(v.text), quote(host))
	}
	s.smtp = host
	return nil
}

// readProtocol takes tcp and udp under a mark for what their authors mean by them: nothing, since a
// mark has no protocol.
func readProtocol(s *section, v *value) *problem {
	switch word := v.word(); {
	case s.isMark && word == string(FWM):
	case s.isMark && (word == string(TCP) || word == string(UDP)):
		v.tolerate(badValue, "a firewall mark has no protocol; %s is dropped, fwm is allowed", word)
		return nil
	case s.isMark:
		return bad("%s is not allowed under a firewall mark; it is fwm", quote(v.text))
	case word == string(TCP) || word == string(UDP):
		s.protocol = Protocol(word)
	default:
		return bad("%s is not allowed for an address and port; it is tcp or udp", quote(v.text))
	}
	v.only(v.word())
	return nil
}

// schedulers of Linux 6. Others may be loaded, so they are not required.
var schedulers = []string{"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "mh", "fo", "ovf", "twos"}

func readScheduler(s *section, v *value) *problem {
	name := firstRun(v.text, isLower)
	if name == "" {
		return bad("%s is not a scheduler; it is a name in lower case such as wrr", quote(v.text))
	}
	v.only(name)
	if !slices.Contains(schedulers, name) {
		v.warn(suspicious, "%s is not a scheduler of a plain kernel; it has %s", quote(name), strings.Join(schedulers, " "))
	}
	s.v.Scheduler = name
	return nil
}

func readSchedFlags(s *section, v *value) *problem {
	flags, _ := cutWord(unquote(v.text))
	if flags == "" {
		return bad("the value is empty; it is a list of flags with commas and without blanks, such as sh-port,sh-fallback")
	}
	v.only(flags)
	s.v.SchedFlags = flags
	return nil
}

func readNetmask(s *section, v *value) *problem {
	if s.ipv6 {
		n, err := strconv.ParseUint(v.text, 10, 16)
		if err != nil || n < 1 || n > 128 {
			return bad("%s is not a prefix length; it is a number from 1 to 128", quote(v.text))
		}
		s.v.Netmask = strconv.FormatUint(n, 10)
		return nil
	}
	mask, ok := parseIPv4(v.text)
	if !ok {
		return bad("%s is not a netmask; it is four numbers from 0 to 255 with dots, such as 255.255.255.0", quote(v.text))
	}
	b := mask.As4()
	if bits := binary.BigEndian.Uint32(b[:]); bits|(bits-1) != 1<<32-1 {
		v.warn(suspicious, "the netmask %s has holes", mask)
	}
	s.v.Netmask = v.text
	return nil
}

// engines are those of Linux.
var engines = []string{"sip"}

func readEngine(s *section, v *value) *problem {
	if name := unquote(v.text); !slices.Contains(engines, name) {
		return bad("%s is not a persistence engine of a plain kernel; it is %s", quote(name), enumerate(engines))
	}
	s.v.PEName = unquote(v.text)
	return nil
}

var checkTypes = []string{string(Negotiate), string(Connect), string(Ping), string(External), string(ExternalPerl), string(On), string(Off)}

// readCheckType takes a value that is a number for the number of connects. The reference does so
// for any value with a digit in it.
func readCheckType(s *section, v *value) *problem {
	text := unquote(v.text)
	first, _ := cutWord(text)
	if all(first, isDigit) {
		n, p := v.number(0, 0)
		if p != nil {
			return p
		}
		if n == 0 {
			v.warn(suspicious, "0 connects between two negotiate checks is the same as negotiate")
		}
		s.v.CheckType, s.connects = Combined, n
		return nil
	}
	word := firstRun(v.text, isNameByte)
	if !slices.Contains(checkTypes, word) {
		return bad("%s is not a check type%s; it is one of %s, or the number of connects between two negotiate checks",
			quote(v.text), DidYouMean(word, checkTypes), strings.Join(checkTypes, ", "))
	}
	v.only(word)
	s.v.CheckType, s.connects = CheckType(word), 0
	return nil
}

func readService(s *section, v *value) *problem {
	name, p := v.oneOf(serviceNames)
	if p == nil {
		s.v.Service = name
	}
	return p
}

// readRequest puts a slash before every request, be it a query or a URL: checks drop it again.
func readRequest(s *section, v *value) *problem {
	if p := quoted(func(s *section) *string { return &s.v.Request })(s, v); p != nil {
		return p
	}
	s.v.Request = withSlash(s.v.Request)
	return nil
}

func withSlash(request string) string {
	if strings.HasPrefix(request, "/") {
		return request
	}
	return "/" + request
}

func readHTTPMethod(s *section, v *value) *problem {
	word := v.word()
	method := strings.ToUpper(word)
	if method != "GET" && method != "HEAD" {
		return bad("%s is not allowed; it is GET or HEAD", quote(v.text))
	}
	v.only(word)
	s.v.HTTPMethod = method
	return nil
}

func readVirtualHost(s *section, v *value) *problem {
	text := strings.TrimPrefix(v.text, `"`)
	if i := strings.IndexByte(text, '"'); i >= 0 {
		text = text[:i]
	}
	v.only(text)
	if text == "" {
		v.warn(noEffect, "an empty virtualhost is none")
	}
	s.v.VirtualHost = text
	return nil
}

func readFollowRedirect(s *section, v *value) *problem {
	word, p := v.oneOf([]string{"yes", "server", "no"})
	if p == nil {
		s.v.FollowRedirect = word
	}
	return p
}

func readLoad(s *section, v *value) *problem {
	text, p := v.inQuotes()
	if p != nil {
		return p
	}
	word := (&value{text: text}).word()
	if word == "" {
		return bad("%s holds no word", quote(v.text))
	}
	v.warn(noEffect, "load has no effect; it is only accepted for old files")
	s.v.Load = word
	return nil
}

func readMonitorFile(s *section, v *value) *problem {
	path := v.withoutQuotes()
	if path == "" {
		return refuse(monitorfileClosed, "the value is empty; it is the path of a file")
	}
	if s.opts.TryFile != nil {
		if err := s.opts.TryFile(path); err != nil {
			return refuse(monitorfileClosed, "the monitor file cannot be opened (%s); it is a file that can be appended to", printable.Text(err.Error()))
		}
	}
	s.v.MonitorFile = path
	return nil
}
