package parser

import (
	"cmp"
	"slices"

	"ldirectord/lvs"
)

// Directive is one row of the table of directives: its default, how it is read, what JSON shows, and whether a section
// takes it from the globals.
type Directive struct {
	Name      string
	Form      Form   // the form of the value's type, unless the row has another one
	Default   string // as in a file; "" for none
	Extension bool   // unknown to the Perl ldirectord
	Repeats   bool   // each line adds a value; for other directives the last line counts
	Secret    bool   // its value is never shown
	appliesTo *appliesTo
	empty     emptyRule

	// Fields for the value, by where the directive may be written.
	global  field
	section field
	either  field // legal in both places
	row     int   // in the table
}

// emptyRule tells how JSON shows an empty value without a default.
type emptyRule uint8

const (
	null emptyRule = iota
	nullUnlessWritten
	emptyText
)

// Directives returns the table of all directives. Their texts are in docs/directives.txt.
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

// Texts that messages share with docs/directives.txt.
const (
	realServerForm = `ADDRESS[->ADDRESS][:PORT] gate|masq|ipip [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N]`
	fallbackForm   = "ADDRESS[:PORT] [gate|masq|ipip]"
	markForm       = "ADDRESS[/LENGTH] tcp|udp|sctp|all PORT,PORT:PORT,…|all"
	alsoCheckForm  = `TYPE [PORT] ["REQUEST" ["RECEIVE"]] [weight=N%]`
)

// Channels receive the states of all virtual services. A reload that changes the channels sends all states again.
type Channels struct {
	Webhook string // extension: the URL for posts of states, a secret; "" for none
}

// tableOf returns the table of directives. Their values are in g (global), v (section) and s (both).
func tableOf(g *Global, v *Virtual, s *Settings) []Directive {
	rows := perls(g, v, s)
	for _, row := range extensions(g, v, s) {
		row.Extension = true
		rows = append(rows, row)
	}
	return rows
}

// perls are the directives of the Perl ldirectord.
func perls(g *Global, v *Virtual, s *Settings) []Directive {
	return []Directive{
		// Sections
		{Name: "virtual"},
		{Name: "virtual6"},
		// Global
		{Name: "autoreload", Default: "no", global: to(&g.AutoReload, yesNo)},
		{Name: "callback", empty: nullUnlessWritten, global: to(&g.Callback, inQuotes)},
		{Name: "logfile", Default: `"/var/log/ldirectord.log"`,
			global: to(&g.LogFile, readLogFile)},
		{Name: "execute", Form: Text, Repeats: true,
			global: field{read: readExecute, get: func() any {
				return append([]string{}, slices.Sorted(slices.Values(g.Execute))...)
			}}},
		{Name: "supervised", Default: "no", global: to(&g.Supervised, yesNo)},
		{Name: "emailalertfrom", global: to(&g.EmailAlertFrom, rawText)},
		{Name: "maintenancedir", global: to(&g.MaintenanceDir, readMaintenanceDir)},
		// When a server is up
		{Name: "checktimeout", Default: "5", either: to(&s.CheckTimeout, perlTime)},
		{Name: "negotiatetimeout", Default: "30", either: to(&s.NegotiateTimeout, perlTime)},
		{Name: "checkinterval", Default: "10", either: to(&s.CheckInterval, perlTime)},
		{Name: "failurecount", Default: "1", either: to(&s.FailureCount, number[int](1, 0))},
		// What happens to the table
		{Name: "quiescent", Default: "no", either: to(&s.Quiescent, yesNo)},
		{Name: "cleanstop", Default: "yes", either: to(&s.CleanStop, yesNo)},
		{Name: "fallback", either: field{read: readFallback}},
		{Name: "fallback6", either: field{read: readFallback}},
		{Name: "fallbackcommand", either: to(&s.FallbackCommand, readFallbackCommand)},
		// Notifications
		{Name: "emailalert", either: to(&s.Mail.To, plainText)},
		{Name: "emailalertfreq", Form: WholeSeconds, Default: "0",
			either: to(&s.Mail.Freq, readMailFrequency)},
		{Name: "emailalertstatus", Default: "all", either: to(&s.Mail.Status, readMailStatus)},
		{Name: "smtp", either: to(&s.Mail.SMTP, readMailServer)},
		// The service and its servers
		{Name: "real", Form: RealServer, Repeats: true, section: field{read: readReal}},
		{Name: "real6", Form: RealServer, Repeats: true, section: field{read: readReal}},
		{Name: "protocol", section: to(&v.Protocol, readProtocol)},
		{Name: "scheduler", Default: "wrr", section: to(&v.Scheduler, readScheduler)},
		{Name: "schedflags", section: to(&v.SchedFlags, readSchedFlags)},
		{Name: "ops", Default: "no", section: to(&v.OnePacket, yesNo)},
		{Name: "servicename", Form: FreeText, empty: nullUnlessWritten,
			section: to(&v.ServiceName, freeText)},
		// Persistence
		{Name: "persistent", Form: WholeSeconds,
			section: to(&v.Persistent, number[int](1, maxPersistence))},
		{Name: "netmask", section: to(&v.Netmask, readNetmask)},
		// The check
		{Name: "checktype", Default: "negotiate",
			section: field{read: readCheckType, get: func() any { return v.CheckType }}},
		{Name: "service", section: to(&v.Service, oneOf(serviceNames...))},
		{Name: "checkport", section: to(&v.CheckPort, number[int](1, maxPort))},
		{Name: "request", Default: `"/"`, section: to(&v.Request, readRequest)},
		{Name: "receive", empty: emptyText,
			appliesTo: forServices(lvs.ServicesThat(lvs.Compares)...), section: to(&v.Receive, quoted)},
		{Name: "httpmethod", Default: "GET", section: to(&v.HTTPMethod, readHTTPMethod)},
		{Name: "virtualhost", empty: nullUnlessWritten,
			section: to(&v.VirtualHost, readVirtualHost)},
		{Name: "checkcommand", Default: "/bin/true",
			section: to(&v.CheckCommand, optionallyQuoted)},
		{Name: "login", empty: emptyText, Secret: true, section: to(&v.Login, quoted)},
		{Name: "passwd", empty: emptyText, Secret: true, section: to(&v.Passwd, quoted)},
		{Name: "database", empty: emptyText, section: to(&v.Database, quoted)},
		{Name: "secret", empty: emptyText, Secret: true, section: to(&v.Secret, quoted)},
		// Accepted, no longer needed
		{Name: "fork", Default: "no", global: to(&g.Fork, yesNo)},
		{Name: "readdquiescent", Default: "no", global: to(&g.ReaddQuiescent, yesNo)},
		{Name: "checkcount", Default: "1", either: to(&s.CheckCount, readCheckCount)},
		{Name: "comment", Form: FreeText, empty: nullUnlessWritten,
			section: to(&v.Comment, freeText)},
		{Name: "monitorfile", section: to(&v.MonitorFile, readMonitorFile)},
		{Name: "load", section: to(&v.Load, readLoad)},
	}
}

// extensions are unknown to the Perl ldirectord.
func extensions(g *Global, v *Virtual, s *Settings) []Directive {
	return []Directive{
		// Global
		{Name: "resolve",
			global: to(&g.Resolve,
				timeFrom(1, maxTime, "a time from a second to 10 years: 30, 30s or 5m"))},
		{Name: "webhook", Secret: true, global: to(&g.Webhook, readWebhook)},
		{Name: "listen", global: to(&g.Listen, readListen)},
		{Name: "metrics", Default: "full", global: to(&g.Metrics, oneOf("small", "full"))},
		{Name: "statuspage", Default: "no", global: to(&g.StatusPage, yesNo)},
		{Name: "statushost",
			global: to(&g.StatusHost,
				matching(`^[\w.+-]{1,255}$`,
					"is not a host name; it must be a name such as lb.example.com, without "+
						"http:// and "+
						"without a port"))},
		{Name: "statusgroup",
			global: to(&g.StatusGroup, matching(`^[\w.][\w.-]{0,31}$`,
				"is not a group; it must be a name of letters, digits, _ - and . with at most 32 "+
					"of them"))},
		// When a server is up
		{Name: "risecount", Default: "1", either: to(&s.RiseCount, number[int](1, 0))},
		{Name: "window", either: to(&s.Window, readWindow)},
		{Name: "fastinterval", Default: "0", either: to(&s.FastInterval, timeOrNone)},
		// What happens to the table
		{Name: "draintime", Default: "0", either: to(&s.DrainTime, timeOrNone)},
		{Name: "keepserving", either: to(&s.KeepServing, readKeepServing)},
		{Name: "slowstart", Default: "0", either: to(&s.SlowStart, durationOrNone)},
		{Name: "pace", either: to(&s.Pace, readPace)},
		{Name: "paceout", either: to(&s.PaceOut, readPace)},
		{Name: "holddown", either: to(&s.holdDown, readHoldDown)},
		{Name: "backupbelow", either: to(&s.BackupBelow, readMinServers)},
		{Name: "repair", Default: "no", either: to(&s.Repair, yesNo)},
		// Notifications
		{Name: "onchange", either: to(&s.OnChange, optionallyQuoted)},
		{Name: "emailalertdetail", Default: "no", either: to(&s.Mail.Detail, yesNo)},
		// Many directors
		{Name: "announce", either: to(&s.Announce, readDevice)},
		{Name: "lastresort", either: to(&s.LastResort, readDevice)},
		{Name: "minservers", either: to(&s.MinServers, readMinServers)},
		{Name: "withdrawwait", Default: "3",
			global: to(&g.WithdrawWait,
				timeFrom(0, maxWithdrawWait, "a time of up to 10 seconds, such as 3 or 500ms, or 0"))},
		{Name: "announceaddress", section: to(&v.AnnounceAddress, readAnnounceAddress)},
		// The service and its servers
		{Name: "backup", Form: RealServer, Repeats: true, section: field{read: readReal}},
		// Firewall marks
		{Name: "mark", Repeats: true,
			section: field{read: readMark, get: func() any { return v.Marking }}},
		// Persistence
		{Name: "pename",
			section: to(&v.PEName,
				matching(`^sip$`,
					"is not a persistence engine of a plain kernel; a plain kernel has only sip"))},
		// The check
		{Name: "checkvip", Default: "no", section: to(&v.checkVIP, readCheckVIP)},
		{Name: "alsocheck", Form: Strings, Repeats: true,
			section: field{read: readAlsoCheck, get: func() any { return v.alsoTexts }}},
		{Name: "agentport", section: to(&v.AgentPort, number[uint16](1, maxPort))},
		{Name: "agentsend", Form: EscapedText, section: to(&v.AgentSend, readEscaped)},
		{Name: "externalweight", Default: "no", section: to(&v.ExternalWeight, yesNo)},
		{Name: "cleartext", Default: "yes",
			appliesTo: forServices(lvs.ServicesThat(lvs.ClearText)...), section: to(&v.ClearText, yesNo)},
		// TLS
		{Name: "sni", section: to(&v.SNI, optionallyQuoted)},
		{Name: "tlsverify", Default: "no", appliesTo: overTLS, section: to(&v.TLSVerify, yesNo)},
		{Name: "tlsca", appliesTo: overTLS, section: to(&v.TLSCA, readableFile)},
		{Name: "tlscert", appliesTo: overTLS, section: to(&v.TLSCert, readableFile)},
		{Name: "tlskey", appliesTo: overTLS, section: to(&v.TLSKey, readableFile)},
		{Name: "tlsexpirywarn", Default: "14",
			appliesTo: overTLS, section: to(&v.TLSExpiryWarn, number[int](0, maxExpiryWarn))},
		{Name: "starttls", Default: "no",
			appliesTo: forServices(lvs.ServicesThat(lvs.StartsTLS)...), section: to(&v.StartTLS, yesNo)},
		// HTTP
		{Name: "followredirect", Default: "yes",
			section: to(&v.FollowRedirect, oneOf("yes", "server", "no"))},
		{Name: "httpstatus", appliesTo: overHTTP, section: to(&v.HTTPStatus, readStatuses)},
		{Name: "drainstatus", section: to(&v.DrainStatus, readStatuses)},
		{Name: "httpheader", Form: Text, Repeats: true, Secret: true,
			appliesTo: overHTTP,
			section:   field{read: readHTTPHeader, get: func() any { return v.HTTPHeaders }}},
		{Name: "httpuser", Secret: true,
			appliesTo: overHTTP, section: to(&v.HTTPUser, readHTTPUser)},
		{Name: "httppasswd", Secret: true,
			appliesTo: overHTTP, section: to(&v.HTTPPasswd, readLogin)},
		// Dialogues and DNS
		{Name: "send", Form: EscapedText, Repeats: true,
			appliesTo: forServices("simpletcp"), section: field{read: readSend}},
		{Name: "expect", Form: EscapedText, Repeats: true,
			appliesTo: forServices("simpletcp"), section: field{read: readExpect}},
		{Name: "dnstype",
			appliesTo: forServices("dns"), section: to(&v.DNSType,
				upperWord("A", "AAAA", "MX", "NS", "TXT", "SOA", "CNAME", "PTR", "SRV"))},
		{Name: "dnsrcode",
			appliesTo: forServices("dns"), section: to(&v.DNSRcode,
				upperWord("NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "NOTAUTH"))},
	}
}

var directives = tableOf(&Global{}, &Virtual{}, &Settings{})

// byName finds a directive by name.
var byName, directiveNames = index(directives)

func index(rows []Directive) (byName map[string]*Directive, names []string) {
	byName = make(map[string]*Directive, len(rows))
	for i := range rows {
		row := &rows[i]
		row.row, row.Form = i, cmp.Or(row.Form, row.global.or(row.section).or(row.either).form)
		byName[row.Name] = row
		names = append(names, row.Name)
	}
	return byName, names
}

// removed are directives of old releases and their replacements.
var removed = map[string]struct {
	instead string
	section bool // refused as removed also in a section; otherwise unknown there
}{
	"timeout":        {instead: "checktimeout and negotiatetimeout"},
	"connecttimeout": {instead: "negotiatetimeout", section: true},
}
