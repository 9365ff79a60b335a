package parser

import (
	_ "embed" // the text of each directive
	"slices"
	"strings"

	"ldirectord/lvs"
)

// Directive is one row of the table of directives. The row says all there is to a directive: its default, how
// it is read, what JSON shows, and whether a section takes it from the globals.
type Directive struct {
	Chapter   string // of the documentation
	Name      string
	Form      Form
	Value     string // what to write
	Default   string // as one would write it; "" for none
	Doc       string // of directives.txt: the first sentence says what it is; Markdown, with names in backquotes
	Extension bool   // unknown to the Perl ldirectord
	Repeats   bool   // each line adds one; of all others the last line counts
	Secret    bool   // its value is never shown
	appliesTo *appliesTo
	empty     emptyRule

	// Where the value is kept, by where the directive may be written.
	global  field
	section field
	either  field // legal in both places
	row     int   // in the table
}

// emptyRule says how JSON shows an empty value that has no default.
type emptyRule uint8

const (
	null emptyRule = iota
	nullUnlessWritten
	emptyText
)

// Directives returns the table of all directives, in the order of the documentation.
func Directives() []Directive { return slices.Clone(directives) }

// Limits that the Perl ldirectord leaves to others: ipvsadm refuses a longer persistence, the kernel's
// fields end there, and a health window is a word of bits.
const (
	maxPersistence = 31 * 24 * 60 * 60 // seconds
	maxWeight      = 1<<31 - 1
	maxThreshold   = 1<<32 - 1
	maxWindow      = 64
	maxPort        = 1<<16 - 1
	maxExpiryWarn  = 3650 // days
)

// Values of more than one directive.
const (
	yesOrNo        = "yes or no"
	realServerForm = `ADDRESS[->ADDRESS][:PORT] gate|masq|ipip [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N]`
	fallbackForm   = "ADDRESS[:PORT] [gate|masq|ipip]"
	markForm       = "ADDRESS[/LENGTH] tcp|udp|sctp|all PORT,PORT:PORT,…|all"
	alsoCheckForm  = `TYPE [PORT] ["REQUEST" ["RECEIVE"]]`
)

// Channels are told the states of all virtual services. A reload that changes them tells all anew.
type Channels struct {
	Webhook string // extension: a URL that they are posted to, a secret; "" for none
}

// tableOf is the table of directives, whose values are kept in g, in v and, if they may be written in both, in s.
func tableOf(g *Global, v *Virtual, s *Settings) []Directive {
	return []Directive{
		// Sections
		{Name: "virtual", Value: "ADDRESS:PORT or MARK"},
		{Name: "virtual6", Value: "[ADDRESS]:PORT or MARK"},
		// Global
		{Name: "autoreload", Value: yesOrNo, Default: "no",
			global: to(&g.AutoReload, yesNo)},
		{Name: "callback", Form: QuotedText, Value: `"PROGRAM"`, empty: nullUnlessWritten,
			global: to(&g.Callback, inQuotes)},
		{Name: "logfile", Form: QuotedText, Value: `"PATH" or "FACILITY"`,
			Default: "/var/log/ldirectord.log",
			global:  to(&g.LogFile, readLogFile)},
		{Name: "execute", Form: Text, Value: "CONFIG", Repeats: true,
			global: field{read: readExecute, get: func() any {
				return append([]string{}, slices.Sorted(slices.Values(g.Execute))...)
			}}},
		{Name: "supervised", Value: yesOrNo, Default: "no",
			global: to(&g.Supervised, yesNo)},
		{Name: "emailalertfrom", Form: Text, Value: "ADDRESS",
			global: to(&g.EmailAlertFrom, rawText)},
		{Name: "maintenancedir", Form: Text, Value: "FOLDER",
			global: to(&g.MaintenanceDir, readMaintenanceDir)},
		{Name: "resolve", Form: Time, Value: "seconds, 1 or more", Extension: true,
			global: to(&g.Resolve,
				timeFrom(1, maxTime, "a time from a second to 10 years: 30, 30s or 5m"))},
		{Name: "webhook", Form: Text, Value: "URL", Extension: true, Secret: true,
			global: to(&g.Webhook, readWebhook)},
		{Name: "listen", Value: "ADDRESS:PORT", Extension: true,
			global: to(&g.Listen, readListen)},
		{Name: "metrics", Value: "small or full", Default: "full", Extension: true,
			global: to(&g.Metrics, oneOf("small", "full"))},
		{Name: "statuspage", Value: yesOrNo, Default: "no", Extension: true,
			global: to(&g.StatusPage, yesNo)},
		{Name: "statushost", Value: "NAME", Extension: true,
			global: to(&g.StatusHost, matching(`^[\w.+-]{1,255}$`,
				"is not a host name; it is a name such as lb.example.com, without http:// and "+
					"without a port"))},
		{Name: "statusgroup", Value: "GROUP", Extension: true,
			global: to(&g.StatusGroup, matching(`^[\w.][\w.-]{0,31}$`,
				"is not a group; it is a name of letters, digits, _ - and . with at most 32 "+
					"of them"))},
		// When a server is up
		{Name: "checktimeout", Form: Time, Value: "seconds, 0.1 or more", Default: "5",
			either: to(&s.CheckTimeout, perlTime)},
		{Name: "negotiatetimeout", Form: Time, Value: "seconds, 0.1 or more", Default: "30",
			either: to(&s.NegotiateTimeout, perlTime)},
		{Name: "checkinterval", Form: Time, Value: "seconds, 0.1 or more", Default: "10",
			either: to(&s.CheckInterval, perlTime)},
		{Name: "failurecount", Value: "1 or more", Default: "1",
			either: to(&s.FailureCount, number[int](1, 0))},
		{Name: "risecount", Value: "1 or more", Default: "1", Extension: true,
			either: to(&s.RiseCount, number[int](1, 0))},
		{Name: "window", Value: "N/M, M up to 64", Extension: true,
			either: to(&s.Window, readWindow)},
		{Name: "fastinterval", Form: Time, Value: "seconds, 0.1 or more, or 0", Default: "0",
			Extension: true,
			either:    to(&s.FastInterval, timeOrNone)},
		// What happens to the table
		{Name: "quiescent", Value: yesOrNo, Default: "no",
			either: to(&s.Quiescent, yesNo)},
		{Name: "draintime", Form: Time, Value: "seconds, 0.1 or more, or 0", Default: "0",
			Extension: true,
			either:    to(&s.DrainTime, timeOrNone)},
		{Name: "keepserving", Value: "N or N%", Extension: true,
			either: to(&s.KeepServing, readKeepServing)},
		{Name: "cleanstop", Value: yesOrNo, Default: "yes",
			either: to(&s.CleanStop, yesNo)},
		{Name: "repair", Value: yesOrNo, Default: "no", Extension: true,
			either: to(&s.Repair, yesNo)},
		{Name: "fallback", Value: fallbackForm,
			either: field{read: readFallback}},
		{Name: "fallback6", Value: fallbackForm,
			either: field{read: readFallback}},
		{Name: "fallbackcommand", Form: Text, Value: "PROGRAM",
			either: to(&s.FallbackCommand, readFallbackCommand)},
		// Notifications
		{Name: "onchange", Form: Text, Value: "COMMAND", Extension: true,
			either: to(&s.OnChange, optionallyQuoted)},
		{Name: "emailalert", Form: Text, Value: "ADDRESS, …",
			either: to(&s.Mail.To, plainText)},
		{Name: "emailalertdetail", Value: "yes or no", Default: "no", Extension: true,
			either: to(&s.Mail.Detail, yesNo)},
		{Name: "emailalertfreq", Form: WholeSeconds, Value: "seconds, 0 or more", Default: "0",
			either: to(&s.Mail.Freq, readMailFrequency)},
		{Name: "emailalertstatus",
			Value:   "all, none, or some of starting, running, stopping, reloading",
			Default: "all",
			either:  to(&s.Mail.Status, readMailStatus)},
		{Name: "smtp", Form: Text, Value: "HOST",
			either: to(&s.Mail.SMTP, readMailServer)},
		// Many directors
		{Name: "announce", Value: "DEVICE or no", Extension: true,
			either: to(&s.Announce, readDevice)},
		{Name: "lastresort", Value: "DEVICE or no", Extension: true,
			either: to(&s.LastResort, readDevice)},
		{Name: "minservers", Value: "LOW or LOW/HIGH, each N or N%", Extension: true,
			either: to(&s.MinServers, readMinServers)},
		{Name: "withdrawwait", Form: Time, Value: "seconds, up to 10, or 0", Default: "3",
			Extension: true,
			global: to(&g.WithdrawWait, timeFrom(0, maxWithdrawWait,
				"a time of up to 10 seconds, such as 3 or 500ms, or 0"))},
		{Name: "announceaddress", Value: "ADDRESS, …", Extension: true,
			section: to(&v.AnnounceAddress, readAnnounceAddress)},
		// The service and its servers
		{Name: "real", Form: RealServer, Value: realServerForm, Repeats: true,
			section: field{read: readReal}},
		{Name: "real6", Form: RealServer, Value: realServerForm, Repeats: true,
			section: field{read: readReal}},
		{Name: "protocol", Value: "tcp, udp or fwm",
			section: to(&v.Protocol, readProtocol)},
		{Name: "scheduler", Value: "a name of the kernel", Default: "wrr",
			section: to(&v.Scheduler, readScheduler)},
		{Name: "schedflags", Form: Text, Value: "FLAG,FLAG",
			section: to(&v.SchedFlags, readSchedFlags)},
		{Name: "ops", Value: yesOrNo, Default: "no",
			section: to(&v.OnePacket, yesNo)},
		{Name: "servicename", Form: FreeText, Value: "text", empty: nullUnlessWritten,
			section: to(&v.ServiceName, freeText)},
		// Firewall marks
		{Name: "mark", Value: markForm, Extension: true, Repeats: true,
			section: field{read: readMark, get: func() any { return v.Marking }}},
		// Persistence
		{Name: "persistent", Form: WholeSeconds, Value: "seconds, up to 31 days",
			section: to(&v.Persistent, number[int](1, maxPersistence))},
		{Name: "netmask", Value: "a.b.c.d, or 1 to 128 for IPv6",
			section: to(&v.Netmask, readNetmask)},
		{Name: "pename", Value: "sip", Extension: true,
			section: to(&v.PEName,
				matching(`^sip$`, "is not a persistence engine of a plain kernel; it is sip"))},
		// The check
		{Name: "checktype", Value: "negotiate, connect, ping, external, external-perl, on, off, or N",
			Default: "negotiate",
			section: field{read: readCheckType, get: func() any { return v.CheckType }}},
		{Name: "service", Value: enumerate(serviceNames),
			section: to(&v.Service, oneOf(serviceNames...))},
		{Name: "checkport", Value: "1 to 65535",
			section: to(&v.CheckPort, number[int](1, maxPort))},
		{Name: "checkvip", Value: "no, yes or ADDRESS", Default: "no", Extension: true,
			section: to(&v.checkVIP, readCheckVIP)},
		{Name: "alsocheck", Form: Strings, Value: alsoCheckForm, Extension: true, Repeats: true,
			section: field{read: readAlsoCheck, get: func() any { return v.alsoTexts }}},
		{Name: "request", Form: QuotedText, Value: `"TEXT"`, Default: "/",
			section: to(&v.Request, readRequest)},
		{Name: "receive", Form: QuotedText, Value: `"REGEX"`, empty: emptyText,
			appliesTo: forServices(lvs.ServicesThat(lvs.Compares)...),
			section:   to(&v.Receive, quoted)},
		{Name: "httpmethod", Value: "GET or HEAD", Default: "GET",
			section: to(&v.HTTPMethod, readHTTPMethod)},
		{Name: "virtualhost", Form: Text, Value: `"NAME"`, empty: nullUnlessWritten,
			section: to(&v.VirtualHost, readVirtualHost)},
		{Name: "checkcommand", Form: Text, Value: `"PROGRAM"`, Default: "/bin/true",
			section: to(&v.CheckCommand, optionallyQuoted)},
		{Name: "login", Form: QuotedText, Value: `"NAME"`, empty: emptyText, Secret: true,
			section: to(&v.Login, quoted)},
		{Name: "passwd", Form: QuotedText, Value: `"PASSWORD"`, empty: emptyText, Secret: true,
			section: to(&v.Passwd, quoted)},
		{Name: "database", Form: QuotedText, Value: `"NAME"`, empty: emptyText,
			section: to(&v.Database, quoted)},
		{Name: "secret", Form: QuotedText, Value: `"SECRET"`, empty: emptyText, Secret: true,
			section: to(&v.Secret, quoted)},
		{Name: "cleartext", Value: yesOrNo, Default: "yes", Extension: true,
			appliesTo: forServices(lvs.ServicesThat(lvs.ClearText)...),
			section:   to(&v.ClearText, yesNo)},
		// TLS
		{Name: "sni", Form: Text, Value: `"NAME"`, Extension: true,
			section: to(&v.SNI, optionallyQuoted)},
		{Name: "tlsverify", Value: yesOrNo, Default: "no", Extension: true, appliesTo: overTLS,
			section: to(&v.TLSVerify, yesNo)},
		{Name: "tlsca", Form: Text, Value: "FILE", Extension: true, appliesTo: overTLS,
			section: to(&v.TLSCA, readableFile)},
		{Name: "tlscert", Form: Text, Value: "FILE", Extension: true, appliesTo: overTLS,
			section: to(&v.TLSCert, readableFile)},
		{Name: "tlskey", Form: Text, Value: "FILE", Extension: true, appliesTo: overTLS,
			section: to(&v.TLSKey, readableFile)},
		{Name: "tlsexpirywarn", Value: "days, 0 to 3650", Default: "14", Extension: true,
			appliesTo: overTLS,
			section:   to(&v.TLSExpiryWarn, number[int](0, maxExpiryWarn))},
		{Name: "starttls", Value: yesOrNo, Default: "no", Extension: true,
			appliesTo: forServices(lvs.ServicesThat(lvs.StartsTLS)...),
			section:   to(&v.StartTLS, yesNo)},
		// HTTP
		{Name: "followredirect", Value: "yes, server or no", Default: "yes", Extension: true,
			section: to(&v.FollowRedirect, oneOf("yes", "server", "no"))},
		{Name: "httpstatus", Value: "200,204,300-399", Extension: true, appliesTo: overHTTP,
			section: to(&v.HTTPStatus, readStatuses)},
		{Name: "httpheader", Form: Text, Value: "Name: value", Extension: true, Repeats: true,
			Secret:    true,
			appliesTo: overHTTP,
			section:   field{read: readHTTPHeader, get: func() any { return v.HTTPHeaders }}},
		{Name: "httpuser", Form: QuotedText, Value: `"NAME"`, Extension: true, Secret: true,
			appliesTo: overHTTP,
			section:   to(&v.HTTPUser, readHTTPUser)},
		{Name: "httppasswd", Form: QuotedText, Value: `"PASSWORD"`, Extension: true, Secret: true,
			appliesTo: overHTTP,
			section:   to(&v.HTTPPasswd, readLogin)},
		// Dialogues and DNS
		{Name: "send", Form: EscapedText, Value: `"TEXT"`, Extension: true, Repeats: true,
			appliesTo: forServices("simpletcp"),
			section:   field{read: readSend}},
		{Name: "expect", Form: EscapedText, Value: `"REGEX"`, Extension: true, Repeats: true,
			appliesTo: forServices("simpletcp"),
			section:   field{read: readExpect}},
		{Name: "dnstype", Value: "A, AAAA, MX, NS, TXT, SOA, CNAME, PTR or SRV", Extension: true,
			appliesTo: forServices("dns"),
			section: to(&v.DNSType,
				upperWord("A", "AAAA", "MX", "NS", "TXT", "SOA", "CNAME", "PTR", "SRV"))},
		{Name: "dnsrcode", Value: "NOERROR, NXDOMAIN, REFUSED, SERVFAIL or NOTAUTH", Extension: true,
			appliesTo: forServices("dns"),
			section: to(&v.DNSRcode,
				upperWord("NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "NOTAUTH"))},
		// Accepted, no longer needed
		{Name: "fork", Value: yesOrNo, Default: "no",
			global: to(&g.Fork, yesNo)},
		{Name: "readdquiescent", Value: yesOrNo, Default: "no",
			global: to(&g.ReaddQuiescent, yesNo)},
		{Name: "checkcount", Value: "1 or more", Default: "1",
			either: to(&s.CheckCount, readCheckCount)},
		{Name: "comment", Form: FreeText, Value: "text", empty: nullUnlessWritten,
			section: to(&v.Comment, freeText)},
		{Name: "monitorfile", Form: Text, Value: `"PATH"`,
			section: to(&v.MonitorFile, readMonitorFile)},
		{Name: "load", Form: QuotedText, Value: `"TEXT"`,
			section: to(&v.Load, readLoad)},
	}
}

var directives = documented(tableOf(&Global{}, &Virtual{}, &Settings{}))

//go:embed directives.txt
var documents string

// documented gives each row its place, its chapter and its paragraph, which begins with its name. SERVICES is those
// for which the directive counts.
func documented(rows []Directive) []Directive {
	chapter, chapters, docs := "", map[string]string{}, map[string]string{}
	for paragraph := range strings.SplitSeq(documents, "\n\n") {
		name, text, isText := strings.Cut(paragraph, ": ")
		if !isText {
			chapter = name
		}
		chapters[name], docs[name] = chapter, strings.Join(strings.Fields(text), " ")
	}
	for i := range rows {
		d := &rows[i]
		d.row, d.Chapter, d.Doc = i, chapters[d.Name], docs[d.Name]
		if d.appliesTo != nil {
			d.Doc = strings.ReplaceAll(d.Doc, "SERVICES", d.appliesTo.where)
		}
	}
	return rows
}

// byName finds a directive; what is not in it is unknown.
var byName, directiveNames = index(directives)

func index(rows []Directive) (byName map[string]*Directive, names []string) {
	byName = make(map[string]*Directive, len(rows))
	for i := range rows {
		byName[rows[i].Name] = &rows[i]
		names = append(names, rows[i].Name)
	}
	return byName, names
}

// removed are directives of old releases and what took their place.
var removed = map[string]struct {
	instead string
	section bool // refused as removed in a section too, else unknown there
}{
	"timeout":        {instead: "checktimeout and negotiatetimeout"},
	"connecttimeout": {instead: "negotiatetimeout", section: true},
}
