package parser

import (
	"cmp"
	"slices"
	"strings"
)

// Directive is one row of the table of directives: where it may be written, its default, and how it is read and shown.
type Directive struct {
	Name      string
	Form      Form     // the form of the value's type, unless the row has another one
	Default   string   // as in a file; "" for none
	Extension bool     // unknown to the Perl ldirectord
	Repeats   bool     // each line adds a value; for other directives the last line counts
	Secret    bool     // its value is never shown
	words     []string // of its row
	services  string   // see Services
}

// row is a directive as in the table: words, a colon, its name, and " = " with its default if it has one. Words:
//
//	header, global, section, either   where it may be written; either: in both places, and a section takes the
//	                                  global value if it has none
//	extension, repeats, secret        see Directive
//	shown-empty, shown-written        how JSON shows an empty value without a default: as an empty text, always or
//	                                  if it is written; others are null
//	for-tls                           services over TLS use it, as those do that name it in lvs/service.go
//	as-…                              see forms
type row struct {
	text string
	field
}

// forms are the forms that a row may have instead of that of its type.
var forms = map[string]Form{"as-seconds": WholeSeconds, "as-server": RealServer, "as-strings": Strings,
	"as-escaped": EscapedText, "as-text": Text, "as-free": FreeText}

// directive reads the text of a row.
func (r row) directive() *Directive {
	words, rest, _ := strings.Cut(r.text, ": ")
	d := &Directive{words: strings.Fields(words), Form: r.form}
	d.Name, d.Default, _ = strings.Cut(rest, " = ")
	d.Extension, d.Repeats, d.Secret = d.is("extension"), d.is("repeats"), d.is("secret")
	for _, word := range d.words {
		d.Form = cmp.Or(forms[word], d.Form)
	}
	d.services = d.usedBy()
	return d
}

// is reports whether the directive's row has a word.
func (d *Directive) is(word string) bool { return slices.Contains(d.words, word) }

// Directives returns the table of all directives. Their texts are in docs/directives.txt.
func Directives() []*Directive { return slices.Clone(directives) }

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
func tableOf(g *Global, v *Virtual, s *Settings) []row {
	return []row{
		// Sections
		{"header: virtual", field{}},
		{"header: virtual6", field{}},
		// Global
		{"global: autoreload = no", to(&g.AutoReload, yesNo)},
		{"global shown-written: callback", to(&g.Callback, inQuotes)},
		{`global: logfile = "/var/log/ldirectord.log"`, to(&g.LogFile, readLogFile)},
		{"global repeats as-text: execute",
			field{read: readExecute, get: func() any {
				return append([]string{}, slices.Sorted(slices.Values(g.Execute))...)
			}}},
		{"global: supervised = no", to(&g.Supervised, yesNo)},
		{"global: emailalertfrom", to(&g.EmailAlertFrom, rawText)},
		{"global: maintenancedir", to(&g.MaintenanceDir, readMaintenanceDir)},
		// When a server is up
		{"either: checktimeout = 5", to(&s.CheckTimeout, perlTime)},
		{"either: negotiatetimeout = 30", to(&s.NegotiateTimeout, perlTime)},
		{"either: checkinterval = 10", to(&s.CheckInterval, perlTime)},
		{"either: failurecount = 1", to(&s.FailureCount, number[int](1, 0))},
		// What happens to the table
		{"either: quiescent = no", to(&s.Quiescent, yesNo)},
		{"either: cleanstop = yes", to(&s.CleanStop, yesNo)},
		{"either: fallback", field{read: readFallback}},
		{"either: fallback6", field{read: readFallback}},
		{"either: fallbackcommand", to(&s.FallbackCommand, readFallbackCommand)},
		// Notifications
		{"either: emailalert", to(&s.Mail.To, plainText)},
		{"either as-seconds: emailalertfreq = 0", to(&s.Mail.Freq, readMailFrequency)},
		{"either: emailalertstatus = all", to(&s.Mail.Status, readMailStatus)},
		{"either: smtp", to(&s.Mail.SMTP, readMailServer)},
		// The service and its servers
		{"section repeats as-server: real", field{read: readReal}},
		{"section repeats as-server: real6", field{read: readReal}},
		{"section: protocol", to(&v.Protocol, readProtocol)},
		{"section: scheduler = wrr", to(&v.Scheduler, readScheduler)},
		{"section: schedflags", to(&v.SchedFlags, readSchedFlags)},
		{"section: ops = no", to(&v.OnePacket, yesNo)},
		{"section shown-written as-free: servicename", to(&v.ServiceName, freeText)},
		// Persistence
		{"section as-seconds: persistent", to(&v.Persistent, number[int](1, maxPersistence))},
		{"section: netmask", to(&v.Netmask, readNetmask)},
		// The check
		{"section: checktype = negotiate",
			field{read: readCheckType, get: func() any { return v.CheckType }}},
		{"section: service", to(&v.Service, readService)},
		{"section: checkport", to(&v.CheckPort, number[int](1, maxPort))},
		{`section: request = "/"`, to(&v.Request, readRequest)},
		{"section shown-empty: receive", to(&v.Receive, quoted)},
		{"section: httpmethod = GET", to(&v.HTTPMethod, readHTTPMethod)},
		{"section shown-written for-tls: virtualhost", to(&v.VirtualHost, readVirtualHost)},
		{"section: checkcommand = /bin/true", to(&v.CheckCommand, optionallyQuoted)},
		{"section secret shown-empty: login", to(&v.Login, quoted)},
		{"section secret shown-empty: passwd", to(&v.Passwd, quoted)},
		{"section shown-empty: database", to(&v.Database, quoted)},
		{"section secret shown-empty: secret", to(&v.Secret, quoted)},
		// Accepted, no longer needed
		{"global: fork = no", to(&g.Fork, yesNo)},
		{"global: readdquiescent = no", to(&g.ReaddQuiescent, yesNo)},
		{"either: checkcount = 1", to(&s.CheckCount, readCheckCount)},
		{"section shown-written as-free: comment", to(&v.Comment, freeText)},
		{"section: monitorfile", to(&v.MonitorFile, readMonitorFile)},
		{"section: load", to(&v.Load, readLoad)},
		// Extensions, which the Perl ldirectord does not know: global
		{"global extension: resolve",
			to(&g.Resolve, timeFrom(1, maxTime, "a time from a second to 10 years: 30, 30s or 5m"))},
		{"global extension: timeouts", to(&g.Timeouts, readTimeouts)},
		{"global extension secret: webhook", to(&g.Webhook, readWebhook)},
		{"global extension: listen", to(&g.Listen, readListen)},
		{"global extension: metrics = full", to(&g.Metrics, oneOf("small", "full"))},
		{"global extension: statuspage = no", to(&g.StatusPage, yesNo)},
		{"global extension: statushost",
			to(&g.StatusHost, matching(`^[\w.+-]{1,255}$`,
				"is not a host name; it must be a name such as lb.example.com, without http:// and "+
					"without a port"))},
		{"global extension: statusgroup",
			to(&g.StatusGroup, matching(`^[\w.][\w.-]{0,31}$`,
				"is not a group; it must be a name of letters, digits, _ - and . with at most 32 "+
					"of them"))},
		// When a server is up
		{"either extension: risecount = 1", to(&s.RiseCount, number[int](1, 0))},
		{"either extension: window", to(&s.Window, readWindow)},
		{"either extension: fastinterval = 0", to(&s.FastInterval, timeOrNone)},
		{"either extension: watch = no", to(&s.Watch, readWatch)},
		{"section extension: observe = no", to(&v.Observe, readObserve)},
		// What happens to the table
		{"either extension: draintime = 0", to(&s.DrainTime, timeOrNone)},
		{"either extension: keepserving", to(&s.KeepServing, readKeepServing)},
		{"either extension: slowstart = 0", to(&s.SlowStart, durationOrNone)},
		{"either extension: pace", to(&s.Pace, readPace)},
		{"either extension: paceout", to(&s.PaceOut, readPace)},
		{"either extension: holddown", to(&s.holdDown, readHoldDown)},
		{"either extension: onfail", to(&s.OnFail, readOnFail)},
		{"either extension: backupbelow", to(&s.BackupBelow, readMinServers)},
		{"either extension: repair = no", to(&s.Repair, yesNo)},
		// Notifications
		{"either extension: onchange", to(&s.OnChange, optionallyQuoted)},
		{"either extension: emailalertdetail = no", to(&s.Mail.Detail, yesNo)},
		// Many directors
		{"either extension: announce", to(&s.Announce, readDevice)},
		{"either extension: lastresort", to(&s.LastResort, readDevice)},
		{"either extension: minservers", to(&s.MinServers, readMinServers)},
		{"global extension: withdrawwait = 3",
			to(&g.WithdrawWait, timeFrom(0, maxWithdrawWait,
				"a time of up to 10 seconds, such as 3 or 500ms, or 0"))},
		{"section extension: announceaddress", to(&v.AnnounceAddress, readAnnounceAddress)},
		// The service and its servers
		{"section extension repeats as-server: backup", field{read: readReal}},
		// Firewall marks
		{"section extension repeats: mark", field{read: readMark, get: func() any { return v.Marking }}},
		// Persistence
		{"section extension: pename",
			to(&v.PEName, matching(`^sip$`,
				"is no persistence engine of the standard kernel, which has only sip"))},
		// The check
		{"section extension: checkvip = no", to(&v.checkVIP, readCheckVIP)},
		{"section extension repeats as-strings: alsocheck",
			field{read: readAlsoCheck, get: func() any { return v.alsoTexts }}},
		{"section extension: agentport", to(&v.AgentPort, number[uint16](1, maxPort))},
		{"section extension as-escaped: agentsend", to(&v.AgentSend, readEscaped)},
		{"section extension: externalweight = no", to(&v.ExternalWeight, yesNo)},
		{"section extension: cleartext = yes", to(&v.ClearText, yesNo)},
		// TLS
		{"section extension for-tls: sni", to(&v.SNI, optionallyQuoted)},
		{"section extension for-tls: tlsverify = no", to(&v.TLSVerify, yesNo)},
		{"section extension for-tls: tlsca", to(&v.TLSCA, readableFile)},
		{"section extension for-tls: tlscert", to(&v.TLSCert, readableFile)},
		{"section extension for-tls: tlskey", to(&v.TLSKey, readableFile)},
		{"section extension for-tls: tlsexpirywarn = 14",
			to(&v.TLSExpiryWarn, number[int](0, maxExpiryWarn))},
		{"section extension: starttls = no", to(&v.StartTLS, yesNo)},
		// HTTP
		{"section extension: followredirect = yes", to(&v.FollowRedirect, oneOf("yes", "server", "no"))},
		{"section extension: httpstatus", to(&v.HTTPStatus, readStatuses)},
		{"section extension: drainstatus", to(&v.DrainStatus, readStatuses)},
		{"section extension repeats secret as-text: httpheader",
			field{read: readHTTPHeader, get: func() any { return v.HTTPHeaders }}},
		{"section extension secret: httpuser", to(&v.HTTPUser, readHTTPUser)},
		{"section extension secret: httppasswd", to(&v.HTTPPasswd, readLogin)},
		// Dialogues and DNS
		{"section extension repeats as-escaped: send", field{read: readSend}},
		{"section extension repeats as-escaped: expect", field{read: readExpect}},
		{"section extension: dnstype",
			to(&v.DNSType, upperWord("A", "AAAA", "MX", "NS", "TXT", "SOA", "CNAME", "PTR", "SRV"))},
		{"section extension: dnsrcode",
			to(&v.DNSRcode, upperWord("NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "NOTAUTH"))},
	}
}

var directives, byName, directiveNames = index()

// index returns the directives in the order of the table, by name, and their names.
func index() (list []*Directive, byName map[string]*Directive, names []string) {
	byName = map[string]*Directive{}
	for _, row := range tableOf(&Global{}, &Virtual{}, &Settings{}) {
		d := row.directive()
		byName[d.Name] = d
		list, names = append(list, d), append(names, d.Name)
	}
	return list, byName, names
}

// removed are directives of old releases and their replacements.
var removed = map[string]struct {
	instead string
	section bool // refused as removed also in a section; otherwise unknown there
}{
	"timeout":        {instead: "checktimeout and negotiatetimeout"},
	"connecttimeout": {instead: "negotiatetimeout", section: true},
}
