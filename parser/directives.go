package parser

import (
	"net/netip"
	"slices"
)

// Directive is one row of the table of directives. The row says all there is to a directive: its default, how
// it is read, what JSON shows, and whether a section takes it from the globals.
type Directive struct {
	Name      string
	Form      Form
	Default   string // as one would write it; "" for none
	Doc       string // one line
	Extension bool   // unknown to the Perl ldirectord
	Repeats   bool   // each line adds one; of all others the last line counts
	Secret    bool   // its value is never shown
	appliesTo *appliesTo
	empty     emptyRule

	// Where the value is kept, by where the directive may be written. At most two are set.
	global  field[Global]
	section field[Virtual]
	either  field[Settings] // legal in both places
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

var directives = []Directive{
	{Name: "virtual", Form: Header,
		Doc: "A virtual service of IPv4, or of a firewall mark; opens a section."},
	{Name: "virtual6", Form: Header,
		Doc: "A virtual service of IPv6, or of a firewall mark; opens a section."},

	{Name: "autoreload", Form: YesNo, Default: "no", global: setting(func(g *Global) *bool { return &g.AutoReload }, yesNo),
		Doc: "Take the file over when it changes."},
	{Name: "callback", Form: QuotedText, empty: nullUnlessWritten, global: setting(func(g *Global) *string { return &g.Callback }, inQuotes),
		Doc: "Program to run when the file has changed, with its path as argument."},
	{Name: "logfile", Form: QuotedText, Default: "/var/log/ldirectord.log", global: setting(func(g *Global) *string { return &g.LogFile }, readLogFile),
		Doc: "Where the log goes: a path, or a syslog facility."},
	{Name: "execute", Form: Text, Repeats: true, global: executes,
		Doc: "Another configuration to start, reload and stop along with this one."},
	{Name: "supervised", Form: YesNo, Default: "no", global: setting(func(g *Global) *bool { return &g.Supervised }, yesNo),
		Doc: "Stay in the foreground and log on standard output."},
	{Name: "fork", Form: YesNo, Default: "no", global: setting(func(g *Global) *bool { return &g.Fork }, yesNo),
		Doc: "No effect: checks run at the same time anyway."},
	{Name: "readdquiescent", Form: YesNo, Default: "no", global: setting(func(g *Global) *bool { return &g.ReaddQuiescent }, yesNo),
		Doc: "Put a server that was removed by hand back with weight 0 when it goes down."},
	{Name: "emailalertfrom", Form: Text, global: setting(func(g *Global) *string { return &g.EmailAlertFrom }, rawText),
		Doc: "Sender of mails."},
	{Name: "maintenancedir", Form: Text, global: setting(func(g *Global) *string { return &g.MaintenanceDir }, readMaintenanceDir),
		Doc: "Folder of files that take the server they are named after out of service."},

	{Name: "listen", Form: ListenAddress, Extension: true, global: setting(func(g *Global) *netip.AddrPort { return &g.Listen }, readListen),
		Doc: "Where metrics and the daemon's health may be asked for by HTTP."},
	{Name: "statusgroup", Form: Word, Extension: true, global: setting(func(g *Global) *string { return &g.StatusGroup }, readGroup),
		Doc: "Group that may ask the running daemon for its state."},

	{Name: "checktimeout", Form: WholeSeconds, Default: "5", either: setting(func(s *Settings) *Seconds { return &s.CheckTimeout }, number[Seconds](1, 0)),
		Doc: "Limit of a connect, ping or external check."},
	{Name: "negotiatetimeout", Form: WholeSeconds, Default: "30", either: setting(func(s *Settings) *Seconds { return &s.NegotiateTimeout }, number[Seconds](1, 0)),
		Doc: "Limit of a negotiate check."},
	{Name: "checkinterval", Form: WholeSeconds, Default: "10", either: setting(func(s *Settings) *Seconds { return &s.CheckInterval }, number[Seconds](1, 0)),
		Doc: "Time from one check of a server to its next."},
	{Name: "checkcount", Form: Count, Default: "1", either: setting(func(s *Settings) *int { return &s.CheckCount }, readCheckCount),
		Doc: "Tries of one ping check; deprecated."},
	{Name: "failurecount", Form: Count, Default: "1", either: setting(func(s *Settings) *int { return &s.FailureCount }, number[int](1, 0)),
		Doc: "Failures in a row that take a server out."},
	{Name: "risecount", Form: Count, Default: "1", Extension: true, either: setting(func(s *Settings) *int { return &s.RiseCount }, number[int](1, 0)),
		Doc: "Successes in a row that bring a server back."},
	{Name: "window", Form: Ratio, Extension: true, either: setting(func(s *Settings) *Window { return &s.Window }, readWindow),
		Doc: "In service while N of the last M checks passed, instead of the counts."},
	{Name: "quiescent", Form: YesNo, Default: "no", either: setting(func(s *Settings) *bool { return &s.Quiescent }, yesNo),
		Doc: "Give a server that is down weight 0 instead of removing it."},
	{Name: "cleanstop", Form: YesNo, Default: "yes", either: setting(func(s *Settings) *bool { return &s.CleanStop }, yesNo),
		Doc: "Remove the virtual services when the daemon stops."},
	{Name: "repair", Form: YesNo, Default: "no", Extension: true, either: setting(func(s *Settings) *bool { return &s.Repair }, yesNo),
		Doc: "Undo changes made to real servers by hand within one checkinterval."},
	{Name: "fallback", Form: FallbackServer, global: field[Global]{read: readGlobalFallback}, section: field[Virtual]{read: readFallback},
		Doc: "Server of IPv4 services while all of theirs are down."},
	{Name: "fallback6", Form: FallbackServer, global: field[Global]{read: readGlobalFallback6}, section: field[Virtual]{read: readFallback},
		Doc: "Server of IPv6 services while all of theirs are down."},
	{Name: "fallbackcommand", Form: MaybeQuotedText,
		either: setting(func(s *Settings) *string { return &s.FallbackCommand }, readFallbackCommand),
		Doc:    "Program to run when the fallback comes and goes."},
	{Name: "onchange", Form: MaybeQuotedText, Extension: true,
		either: setting(func(s *Settings) *string { return &s.OnChange }, optionallyQuoted),
		Doc:    "Program to run at each change of a server or of a virtual service."},
	{Name: "emailalert", Form: Text, either: setting(func(s *Settings) *string { return &s.Mail.To }, plainText),
		Doc: "Who gets mail when a server goes or comes."},
	{Name: "emailalertfreq", Form: WholeSeconds, Default: "0", either: setting(func(s *Settings) *Seconds { return &s.Mail.Freq }, readMailFrequency),
		Doc: "Time between reminders of a server that stays down; 0 for none."},
	{Name: "emailalertstatus", Form: WordList, Default: "all", either: setting(func(s *Settings) *MailStatus { return &s.Mail.Status }, readMailStatus),
		Doc: "In which states of the daemon mail is sent."},
	{Name: "smtp", Form: Text, either: setting(func(s *Settings) *string { return &s.Mail.SMTP }, readMailServer),
		Doc: "Mail server; without one the local sendmail is run."},

	{Name: "real", Form: RealServer, Repeats: true, section: field[Virtual]{read: readReal},
		Doc: "A real server of an IPv4 service, or a range of them."},
	{Name: "real6", Form: RealServer, Repeats: true, section: field[Virtual]{read: readReal},
		Doc: "A real server of an IPv6 service, or a range of them."},
	{Name: "mark", Form: MarkRule, Extension: true, Repeats: true, section: marks,
		Doc: "Packets that get the section's firewall mark."},
	{Name: "protocol", Form: Word, section: setting(func(v *Virtual) *Protocol { return &v.Protocol }, readProtocol),
		Doc: "tcp or udp, fwm under a mark; without it udp at port 53, else tcp."},
	{Name: "scheduler", Form: Word, Default: "wrr", section: setting(func(v *Virtual) *string { return &v.Scheduler }, readScheduler),
		Doc: "The kernel's scheduler: rr, wrr, lc, wlc, …"},
	{Name: "schedflags", Form: Text, section: setting(func(v *Virtual) *string { return &v.SchedFlags }, readSchedFlags),
		Doc: "Flags of the scheduler, with commas."},
	{Name: "persistent", Form: WholeSeconds, section: setting(func(v *Virtual) *int { return &v.Persistent }, number[int](1, maxPersistence)),
		Doc: "How long a client stays with its server."},
	{Name: "netmask", Form: Mask, section: setting(func(v *Virtual) *string { return &v.Netmask }, readNetmask),
		Doc: "Which addresses persistence takes for one client."},
	{Name: "pename", Form: Word, Extension: true, section: setting(func(v *Virtual) *string { return &v.PEName }, readEngine),
		Doc: "Persistence engine, which tells clients apart by what they say: sip."},
	{Name: "ops", Form: YesNo, Default: "no", section: setting(func(v *Virtual) *bool { return &v.OnePacket }, yesNo),
		Doc: "Schedule each packet by itself; only for udp."},
	{Name: "servicename", Form: FreeText, empty: nullUnlessWritten, section: setting(func(v *Virtual) *string { return &v.ServiceName }, freeText),
		Doc: "Name of the service in mails."},
	{Name: "comment", Form: FreeText, empty: nullUnlessWritten, section: setting(func(v *Virtual) *string { return &v.Comment }, freeText),
		Doc: "Note on the service in mails."},

	{Name: "checktype", Form: Word, Default: "negotiate", section: checkTypeAndConnects,
		Doc: "negotiate, connect, ping, external, external-perl, on, off, or N: one negotiate, then N connects."},
	{Name: "service", Form: Word, section: setting(func(v *Virtual) *string { return &v.Service }, readService),
		Doc: "What a negotiate check speaks; without it, what the port suggests."},
	{Name: "checkport", Form: PortNumber, section: setting(func(v *Virtual) *int { return &v.CheckPort }, number[int](1, maxPort)),
		Doc: "Port that is checked, if not the server's."},
	{Name: "request", Form: QuotedText, Default: "/", section: setting(func(v *Virtual) *string { return &v.Request }, readRequest),
		Doc: "What a negotiate check asks for."},
	{Name: "receive", Form: QuotedText, empty: emptyText, section: setting(func(v *Virtual) *string { return &v.Receive }, quoted),
		Doc: "Perl regular expression that the answer matches."},
	{Name: "httpmethod", Form: Word, Default: "GET", section: setting(func(v *Virtual) *string { return &v.HTTPMethod }, readHTTPMethod),
		Doc: "GET or HEAD."},
	{Name: "virtualhost", Form: MaybeQuotedText, empty: nullUnlessWritten, section: setting(func(v *Virtual) *string { return &v.VirtualHost }, readVirtualHost),
		Doc: "Host header and TLS server name of http checks."},
	{Name: "sni", Form: MaybeQuotedText, Extension: true, section: setting(func(v *Virtual) *string { return &v.SNI }, optionallyQuoted),
		Doc: "TLS server name, if not the virtualhost."},
	{Name: "followredirect", Form: Word, Default: "yes", Extension: true, section: setting(func(v *Virtual) *string { return &v.FollowRedirect }, readFollowRedirect),
		Doc: "Redirects of http checks: yes, server (ask the same server), no."},
	{Name: "checkcommand", Form: MaybeQuotedText, Default: "/bin/true", section: setting(func(v *Virtual) *string { return &v.CheckCommand }, optionallyQuoted),
		Doc: "Program of external checks."},
	{Name: "login", Form: QuotedText, empty: emptyText, Secret: true, section: setting(func(v *Virtual) *string { return &v.Login }, quoted),
		Doc: "User to log in as."},
	{Name: "passwd", Form: QuotedText, empty: emptyText, Secret: true, section: setting(func(v *Virtual) *string { return &v.Passwd }, quoted),
		Doc: "Password to log in with."},
	{Name: "database", Form: QuotedText, empty: emptyText, section: setting(func(v *Virtual) *string { return &v.Database }, quoted),
		Doc: "Database to open."},
	{Name: "secret", Form: QuotedText, empty: emptyText, Secret: true, section: setting(func(v *Virtual) *string { return &v.Secret }, quoted),
		Doc: "Shared secret of radius."},
	{Name: "cleartext", Form: YesNo, Default: "yes", Extension: true, appliesTo: forServices(clearTextServices...), section: setting(func(v *Virtual) *bool { return &v.ClearText }, yesNo),
		Doc: "The password may go out so that who answers can read it."},
	{Name: "load", Form: QuotedText, section: setting(func(v *Virtual) *string { return &v.Load }, readLoad),
		Doc: "No effect; accepted for old files."},
	{Name: "monitorfile", Form: MaybeQuotedText, section: setting(func(v *Virtual) *string { return &v.MonitorFile }, readMonitorFile),
		Doc: "File that gets a line for each check."},

	{Name: "tlsverify", Form: YesNo, Default: "no", Extension: true, appliesTo: overTLS, section: setting(func(v *Virtual) *bool { return &v.TLSVerify }, yesNo),
		Doc: "A server's certificate must be good, and for its name."},
	{Name: "tlsca", Form: MaybeQuotedText, Extension: true, appliesTo: overTLS, section: setting(func(v *Virtual) *string { return &v.TLSCA }, readableFile),
		Doc: "File of the authorities to trust, if not the system's."},
	{Name: "tlscert", Form: MaybeQuotedText, Extension: true, appliesTo: overTLS, section: setting(func(v *Virtual) *string { return &v.TLSCert }, readableFile),
		Doc: "File of the client certificate to show; with tlskey."},
	{Name: "tlskey", Form: MaybeQuotedText, Extension: true, appliesTo: overTLS, section: setting(func(v *Virtual) *string { return &v.TLSKey }, readableFile),
		Doc: "File of the client certificate's key."},
	{Name: "tlsexpirywarn", Form: Days, Extension: true, appliesTo: overTLS, section: setting(func(v *Virtual) *int { return &v.TLSExpiryWarn }, number[int](1, maxExpiryWarn)),
		Doc: "Warn of a certificate that ends within so many days."},
	{Name: "starttls", Form: YesNo, Default: "no", Extension: true, appliesTo: forServices(startTLSServices...), section: setting(func(v *Virtual) *bool { return &v.StartTLS }, yesNo),
		Doc: "Turn to TLS before anything else is said."},
	{Name: "httpstatus", Form: StatusList, Extension: true, appliesTo: overHTTP, section: setting(func(v *Virtual) *Statuses { return &v.HTTPStatus }, readStatuses),
		Doc: "Statuses that are good; without it 200 to 299."},
	{Name: "httpheader", Form: HTTPHeader, Extension: true, Repeats: true, Secret: true, appliesTo: overHTTP, section: httpHeaders,
		Doc: "A further header of the request."},
	{Name: "httpuser", Form: QuotedText, Extension: true, Secret: true, appliesTo: overHTTP, section: setting(func(v *Virtual) *string { return &v.HTTPUser }, readHTTPUser),
		Doc: "User of basic authentication; with httppasswd."},
	{Name: "httppasswd", Form: QuotedText, Extension: true, Secret: true, appliesTo: overHTTP, section: setting(func(v *Virtual) *string { return &v.HTTPPasswd }, readLogin),
		Doc: "Password of basic authentication."},
	{Name: "send", Form: EscapedText, Extension: true, Repeats: true, appliesTo: forServices("simpletcp"), section: field[Virtual]{read: readSend},
		Doc: "What to send next in a dialogue."},
	{Name: "expect", Form: EscapedText, Extension: true, Repeats: true, appliesTo: forServices("simpletcp"), section: field[Virtual]{read: readExpect},
		Doc: "Perl regular expression that the next answer of a dialogue matches."},
	{Name: "dnstype", Form: Word, Extension: true, appliesTo: forServices("dns"), section: setting(func(v *Virtual) *string { return &v.DNSType }, upperWord("A", "AAAA", "MX", "NS", "TXT", "SOA", "CNAME", "PTR", "SRV")),
		Doc: "Record type to ask for; without it A, or PTR for an address."},
	{Name: "dnsrcode", Form: Word, Extension: true, appliesTo: forServices("dns"), section: setting(func(v *Virtual) *string { return &v.DNSRcode }, upperWord("NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "NOTAUTH")),
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
