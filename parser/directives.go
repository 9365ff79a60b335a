package parser

import "slices"

// Form says how a directive's value is written.
type Form uint8

// The forms of values.
const (
	Header         Form = iota // address and port, or a mark
	RealServer                 // address, method, weight, strings, thresholds
	FallbackServer             // address and method
	YesNo
	Seconds
	Count
	PortNumber
	Ratio           // N/M
	QuotedText      // double quotes required
	EscapedText     // the same; a quote behind a backslash ends nothing
	MaybeQuotedText // double quotes optional
	Text            // as it stands; blanks at the end do not count
	FreeText        // as it stands
	Word            // one of a list
	WordList        // some of a list, with commas
	Mask
	Days
	Statuses   // of HTTP
	HTTPHeader // double quotes optional
	MarkRule   // address, protocol and ports
	ListenAddress
)

func (f Form) String() string {
	return [...]string{
		Header:          "ADDRESS:PORT or MARK",
		RealServer:      `ADDRESS[->ADDRESS][:PORT] gate|masq|ipip [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N]`,
		FallbackServer:  "ADDRESS[:PORT] [gate|masq|ipip]",
		YesNo:           "yes or no",
		Seconds:         "seconds",
		Count:           "number",
		PortNumber:      "port",
		Ratio:           "N/M",
		QuotedText:      `"text"`,
		EscapedText:     `"text with \escapes"`,
		MaybeQuotedText: `text or "text"`,
		Text:            "text",
		FreeText:        "text, may be empty",
		Word:            "word",
		WordList:        "word, word, …",
		Mask:            "a.b.c.d, or 1 to 128 for IPv6",
		Days:            "days",
		Statuses:        "NNN, NNN-NNN, …",
		HTTPHeader:      `Name: value or "Name: value"`,
		MarkRule:        "ADDRESS[/LENGTH] tcp|udp|sctp|all PORT,PORT:PORT,…|all",
		ListenAddress:   "ADDRESS:PORT",
	}[f]
}

// isText tells of forms whose value is kept as it stands.
func (f Form) isText() bool {
	switch f {
	case QuotedText, EscapedText, MaybeQuotedText, Text, FreeText, HTTPHeader:
		return true
	}
	return false
}

// Directive is one row of the table of directives.
type Directive struct {
	Name      string
	Form      Form
	Default   string // as one would write it; "" for none
	Doc       string // one line
	Extension bool   // unknown to the reference
	Repeats   bool   // each line adds one; of all others the last line counts
	Secret    bool   // its value is never shown
	effect    *effect

	// How the value is read, by where the directive stands. At most two are set.
	global  setter[globals]
	section setter[section]
	either  setter[scope] // legal in both places
}

// Global tells whether the directive may stand outside the sections.
func (d *Directive) Global() bool { return d.global != nil || d.either != nil }

// Section tells whether the directive may stand in a section, where it outranks a global one.
func (d *Directive) Section() bool { return d.section != nil || d.either != nil }

func (d *Directive) setGlobal(g *globals, v *value) *problem {
	if d.either != nil {
		return d.either(&g.scope, v)
	}
	return d.global(g, v)
}

func (d *Directive) setSection(s *section, v *value) *problem {
	if d.either != nil {
		return d.either(&s.scope, v)
	}
	return d.section(s, v)
}

// Directives returns the table of all directives, in the order of the documentation.
func Directives() []Directive { return slices.Clone(directives) }

// Defaults of directives that have one. Those of the two timeouts stand in for each other first.
const (
	defaultCheckTimeout     = 5
	defaultNegotiateTimeout = 30
	defaultCheckInterval    = 10
	defaultCount            = 1
	defaultLogFile          = "/var/log/ldirectord.log"
	defaultScheduler        = "wrr"
	defaultRequest          = "/"
	defaultCheckCommand     = "/bin/true"
	defaultHTTPMethod       = "GET"
	defaultFollowRedirect   = "yes"
)

// Limits that the reference leaves to others: ipvsadm refuses a longer persistence, the kernel's
// fields end there, and a health window is a word of bits.
const (
	longestPersistence = 31 * 24 * 60 * 60
	largestWeight      = 1<<31 - 1
	largestThreshold   = 1<<32 - 1
	largestMark        = 1<<32 - 1
	largestWindow      = 64
	largestPort        = 1<<16 - 1
	longestExpiryWarn  = 3650 // days
)

var directives = []Directive{
	{Name: "virtual", Form: Header,
		Doc: "A virtual service of IPv4, or of a firewall mark; opens a section."},
	{Name: "virtual6", Form: Header,
		Doc: "A virtual service of IPv6, or of a firewall mark; opens a section."},

	{Name: "autoreload", Form: YesNo, Default: "no", global: yesNo(func(g *globals) *choice { return &g.autoReload }),
		Doc: "Take the file over when it changes."},
	{Name: "callback", Form: QuotedText, global: readCallback,
		Doc: "Program to run when the file has changed, with its path as argument."},
	{Name: "logfile", Form: QuotedText, Default: defaultLogFile, global: readLogFile,
		Doc: "Where the log goes: a path, or a syslog facility."},
	{Name: "execute", Form: Text, Repeats: true, global: readExecute,
		Doc: "Another configuration to start, reload and stop along with this one."},
	{Name: "supervised", Form: YesNo, Default: "no", global: yesNo(func(g *globals) *choice { return &g.supervised }),
		Doc: "Stay in the foreground and log on standard output."},
	{Name: "fork", Form: YesNo, Default: "no", global: yesNo(func(g *globals) *choice { return &g.fork }),
		Doc: "No effect: checks run at the same time anyway."},
	{Name: "readdquiescent", Form: YesNo, Default: "no", global: yesNo(func(g *globals) *choice { return &g.readdQuiescent }),
		Doc: "Put a server that was removed by hand back with weight 0 when it goes down."},
	{Name: "emailalertfrom", Form: Text, global: rawText(func(g *globals) *string { return &g.mailFrom }),
		Doc: "Sender of mails."},
	{Name: "maintenancedir", Form: Text, global: readMaintenanceDir,
		Doc: "Folder of files that take the server they are named after out of service."},

	{Name: "listen", Form: ListenAddress, Extension: true, global: readListen,
		Doc: "Where metrics and the daemon's health may be asked for by HTTP."},
	{Name: "statusgroup", Form: Word, Extension: true, global: readStatusGroup,
		Doc: "Group that may ask the running daemon for its state."},

	{Name: "checktimeout", Form: Seconds, Default: "5", either: number(1, 0, func(s *scope) *int64 { return &s.checkTimeout }),
		Doc: "Limit of a connect, ping or external check."},
	{Name: "negotiatetimeout", Form: Seconds, Default: "30", either: number(1, 0, func(s *scope) *int64 { return &s.negotiateTimeout }),
		Doc: "Limit of a negotiate check."},
	{Name: "checkinterval", Form: Seconds, Default: "10", either: number(1, 0, func(s *scope) *int64 { return &s.checkInterval }),
		Doc: "Time from one check of a server to its next."},
	{Name: "checkcount", Form: Count, Default: "1", either: readCheckCount,
		Doc: "Tries of one ping check; deprecated."},
	{Name: "failurecount", Form: Count, Default: "1", either: number(1, 0, func(s *scope) *int64 { return &s.failureCount }),
		Doc: "Failures in a row that take a server out."},
	{Name: "risecount", Form: Count, Default: "1", Extension: true, either: number(1, 0, func(s *scope) *int64 { return &s.riseCount }),
		Doc: "Successes in a row that bring a server back."},
	{Name: "window", Form: Ratio, Extension: true, either: readWindow,
		Doc: "In service while N of the last M checks passed, instead of the counts."},
	{Name: "quiescent", Form: YesNo, Default: "no", either: yesNo(func(s *scope) *choice { return &s.quiescent }),
		Doc: "Give a server that is down weight 0 instead of removing it."},
	{Name: "cleanstop", Form: YesNo, Default: "yes", either: yesNo(func(s *scope) *choice { return &s.cleanStop }),
		Doc: "Remove the virtual services when the daemon stops."},
	{Name: "repair", Form: YesNo, Default: "no", Extension: true, either: yesNo(func(s *scope) *choice { return &s.repair }),
		Doc: "Undo changes made to real servers by hand within one checkinterval."},
	{Name: "fallback", Form: FallbackServer, global: readGlobalFallback(false), section: readFallback,
		Doc: "Server of IPv4 services while all of theirs are down."},
	{Name: "fallback6", Form: FallbackServer, global: readGlobalFallback(true), section: readFallback,
		Doc: "Server of IPv6 services while all of theirs are down."},
	{Name: "fallbackcommand", Form: MaybeQuotedText,
		global:  textOrNone(func(g *globals) *string { return &g.fallbackCommand }),
		section: optionallyQuoted(func(s *section) *string { return &s.fallbackCommand }),
		Doc:     "Program to run when the fallback comes and goes."},
	{Name: "onchange", Form: MaybeQuotedText, Extension: true,
		either: optionallyQuoted(func(s *scope) *string { return &s.onChange }),
		Doc:    "Program to run at each change of a server or of a virtual service."},
	{Name: "emailalert", Form: Text, either: plainText(func(s *scope) *string { return &s.mailTo }),
		Doc: "Who gets mail when a server goes or comes."},
	{Name: "emailalertfreq", Form: Seconds, Default: "0", either: readMailFrequency,
		Doc: "Time between reminders of a server that stays down; 0 for none."},
	{Name: "emailalertstatus", Form: WordList, Default: "all", either: readMailStatus,
		Doc: "In which states of the daemon mail is sent."},
	{Name: "smtp", Form: Text, either: readSMTP,
		Doc: "Mail server; without one the local sendmail is run."},

	{Name: "real", Form: RealServer, Repeats: true, section: readReal,
		Doc: "A real server of an IPv4 service, or a range of them."},
	{Name: "real6", Form: RealServer, Repeats: true, section: readReal,
		Doc: "A real server of an IPv6 service, or a range of them."},
	{Name: "mark", Form: MarkRule, Extension: true, Repeats: true, section: readMark,
		Doc: "Packets that get the section's firewall mark."},
	{Name: "protocol", Form: Word, section: readProtocol,
		Doc: "tcp or udp, fwm under a mark; without it udp at port 53, else tcp."},
	{Name: "scheduler", Form: Word, Default: defaultScheduler, section: readScheduler,
		Doc: "The kernel's scheduler: rr, wrr, lc, wlc, …"},
	{Name: "schedflags", Form: Text, section: readSchedFlags,
		Doc: "Flags of the scheduler, with commas."},
	{Name: "persistent", Form: Seconds, section: number(1, longestPersistence, func(s *section) *int64 { return &s.persistent }),
		Doc: "How long a client stays with its server."},
	{Name: "netmask", Form: Mask, section: readNetmask,
		Doc: "Which addresses persistence takes for one client."},
	{Name: "pename", Form: Word, Extension: true, section: readEngine,
		Doc: "Persistence engine, which tells clients apart by what they say: sip."},
	{Name: "ops", Form: YesNo, Default: "no", section: yesNo(func(s *section) *choice { return &s.ops }),
		Doc: "Schedule each packet by itself; only for udp."},
	{Name: "servicename", Form: FreeText, section: freeText(func(s *section) *string { return &s.v.ServiceName }),
		Doc: "Name of the service in mails."},
	{Name: "comment", Form: FreeText, section: freeText(func(s *section) *string { return &s.v.Comment }),
		Doc: "Note on the service in mails."},

	{Name: "checktype", Form: Word, Default: "negotiate", section: readCheckType,
		Doc: "negotiate, connect, ping, external, external-perl, on, off, or N: one negotiate, then N connects."},
	{Name: "service", Form: Word, section: readService,
		Doc: "What a negotiate check speaks; without it, what the port suggests."},
	{Name: "checkport", Form: PortNumber, section: number(1, largestPort, func(s *section) *int64 { return &s.checkPort }),
		Doc: "Port that is checked, if not the server's."},
	{Name: "request", Form: QuotedText, Default: defaultRequest, section: readRequest,
		Doc: "What a negotiate check asks for."},
	{Name: "receive", Form: QuotedText, section: quoted(func(s *section) *string { return &s.v.Receive }),
		Doc: "Perl regular expression that the answer matches."},
	{Name: "httpmethod", Form: Word, Default: defaultHTTPMethod, section: readHTTPMethod,
		Doc: "GET or HEAD."},
	{Name: "virtualhost", Form: MaybeQuotedText, section: readVirtualHost,
		Doc: "Host header and TLS server name of http checks."},
	{Name: "sni", Form: MaybeQuotedText, Extension: true, section: optionallyQuoted(func(s *section) *string { return &s.v.SNI }),
		Doc: "TLS server name, if not the virtualhost."},
	{Name: "followredirect", Form: Word, Default: defaultFollowRedirect, Extension: true, section: readFollowRedirect,
		Doc: "Redirects of http checks: yes, server (ask the same server), no."},
	{Name: "checkcommand", Form: MaybeQuotedText, Default: defaultCheckCommand, section: optionallyQuoted(func(s *section) *string { return &s.v.CheckCommand }),
		Doc: "Program of external checks."},
	{Name: "login", Form: QuotedText, Secret: true, section: quoted(func(s *section) *string { return &s.v.Login }),
		Doc: "User to log in as."},
	{Name: "passwd", Form: QuotedText, Secret: true, section: quoted(func(s *section) *string { return &s.v.Passwd }),
		Doc: "Password to log in with."},
	{Name: "database", Form: QuotedText, section: quoted(func(s *section) *string { return &s.v.Database }),
		Doc: "Database to open."},
	{Name: "secret", Form: QuotedText, Secret: true, section: quoted(func(s *section) *string { return &s.v.Secret }),
		Doc: "Shared secret of radius."},
	{Name: "cleartext", Form: YesNo, Default: "yes", Extension: true, effect: forServices(clearTextServices...), section: yesNo(func(s *section) *choice { return &s.clearText }),
		Doc: "The password may go out so that who answers can read it."},
	{Name: "load", Form: QuotedText, section: readLoad,
		Doc: "No effect; accepted for old files."},
	{Name: "monitorfile", Form: MaybeQuotedText, section: readMonitorFile,
		Doc: "File that gets a line for each check."},

	{Name: "tlsverify", Form: YesNo, Default: "no", Extension: true, effect: overTLS, section: yesNo(func(s *section) *choice { return &s.tlsVerify }),
		Doc: "A server's certificate must be good, and for its name."},
	{Name: "tlsca", Form: MaybeQuotedText, Extension: true, effect: overTLS, section: readableFile(func(s *section) *string { return &s.v.TLSCA }),
		Doc: "File of the authorities to trust, if not the system's."},
	{Name: "tlscert", Form: MaybeQuotedText, Extension: true, effect: overTLS, section: readableFile(func(s *section) *string { return &s.v.TLSCert }),
		Doc: "File of the client certificate to show; with tlskey."},
	{Name: "tlskey", Form: MaybeQuotedText, Extension: true, effect: overTLS, section: readableFile(func(s *section) *string { return &s.v.TLSKey }),
		Doc: "File of the client certificate's key."},
	{Name: "tlsexpirywarn", Form: Days, Extension: true, effect: overTLS, section: number(1, longestExpiryWarn, func(s *section) *int64 { return &s.tlsExpiryWarn }),
		Doc: "Warn of a certificate that ends within so many days."},
	{Name: "starttls", Form: YesNo, Default: "no", Extension: true, effect: forServices(startTLSServices...), section: yesNo(func(s *section) *choice { return &s.startTLS }),
		Doc: "Turn to TLS before anything else is said."},
	{Name: "httpstatus", Form: Statuses, Extension: true, effect: overHTTP, section: readHTTPStatus,
		Doc: "Statuses that are good; without it 200 to 299."},
	{Name: "httpheader", Form: HTTPHeader, Extension: true, Repeats: true, Secret: true, effect: overHTTP, section: readHTTPHeader,
		Doc: "A further header of the request."},
	{Name: "httpuser", Form: QuotedText, Extension: true, Secret: true, effect: overHTTP, section: readHTTPUser,
		Doc: "User of basic authentication; with httppasswd."},
	{Name: "httppasswd", Form: QuotedText, Extension: true, Secret: true, effect: overHTTP, section: readHTTPPasswd,
		Doc: "Password of basic authentication."},
	{Name: "send", Form: EscapedText, Extension: true, Repeats: true, effect: forServices("simpletcp"), section: readSend,
		Doc: "What to send next in a dialogue."},
	{Name: "expect", Form: EscapedText, Extension: true, Repeats: true, effect: forServices("simpletcp"), section: readExpect,
		Doc: "Perl regular expression that the next answer of a dialogue matches."},
	{Name: "dnstype", Form: Word, Extension: true, effect: forServices("dns"), section: upperWord(dnsTypes, func(s *section) *string { return &s.v.DNSType }),
		Doc: "Record type to ask for; without it A, or PTR for an address."},
	{Name: "dnsrcode", Form: Word, Extension: true, effect: forServices("dns"), section: upperWord(dnsRcodes, func(s *section) *string { return &s.v.DNSRcode }),
		Doc: "Answer code that is good; without it NOERROR."},
}

// byName finds a directive; what is not in it is unknown.
var byName = func() map[string]*Directive {
	m := make(map[string]*Directive, len(directives))
	for i := range directives {
		m[directives[i].Name] = &directives[i]
	}
	return m
}()

var directiveNames = func() []string {
	names := make([]string, len(directives))
	for i, d := range directives {
		names[i] = d.Name
	}
	return names
}()

// removed are directives of old releases and what took their place.
var removed = map[string]struct {
	instead string
	section bool // refused as removed in a section too, else unknown there
}{
	"timeout":        {instead: "checktimeout and negotiatetimeout"},
	"connecttimeout": {instead: "negotiatetimeout", section: true},
}
