package parser

import (
	"slices"
)

// Directive is one row of the table of directives. The row says all there is to a directive: its default, how
// it is read, what JSON shows, and whether a section takes it from the globals.
type Directive struct {
	Chapter   string // of the documentation
	Name      string
	Form      Form
	Value     string // what to write
	Default   string // as one would write it; "" for none
	Doc       string // the first sentence says what it is; Markdown, with names in backquotes
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

// chapter is a part of the table, and of the documentation.
type chapter struct {
	title string
	rows  []Directive
}

func chapters(list ...chapter) (all []Directive) {
	for _, c := range list {
		for _, d := range c.rows {
			d.Chapter, d.row = c.title, len(all)
			all = append(all, d)
		}
	}
	return all
}

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
	return chapters(
		chapter{"Sections", []Directive{
			{Name: "virtual", Value: "ADDRESS:PORT or MARK",
				Doc: "A virtual service of IPv4; opens a section. A number alone, from 1 to " +
					"4294967295, is a firewall mark: the service is all packets that carry it. " +
					"Port 0 is every port, and needs `persistent`."},
			{Name: "virtual6", Value: "[ADDRESS]:PORT or MARK",
				Doc: "The same for IPv6. A mark may be used in both families; these are two " +
					"services."},
		}},
		chapter{"Global", []Directive{
			{Name: "autoreload", Value: yesOrNo, Default: "no",
				global: to(&g.AutoReload, yesNo),
				Doc: "Read the file again when it changes, or when a certificate, key or authority " +
					"that it names changes. A file with an error changes nothing."},
			{Name: "callback", Form: QuotedText, Value: `"PROGRAM"`, empty: nullUnlessWritten,
				global: to(&g.Callback, inQuotes),
				Doc:    "Program to run when the file has changed, with its path as the argument."},
			{Name: "logfile", Form: QuotedText, Value: `"PATH" or "FACILITY"`,
				Default: "/var/log/ldirectord.log",
				global:  to(&g.LogFile, readLogFile),
				Doc: "Where the log goes: a path, or a facility of syslog(3). What does not begin " +
					"with a slash is a facility."},
			{Name: "execute", Form: Text, Value: "CONFIG", Repeats: true,
				global: field{read: readExecute, get: func() any {
					return append([]string{}, slices.Sorted(slices.Values(g.Execute))...)
				}},
				Doc: "Another configuration to start, reload and stop along with this one."},
			{Name: "supervised", Value: yesOrNo, Default: "no",
				global: to(&g.Supervised, yesNo),
				Doc:    "Stay in the foreground, log on standard output and write no pid file."},
			{Name: "emailalertfrom", Form: Text, Value: "ADDRESS",
				global: to(&g.EmailAlertFrom, rawText),
				Doc:    "Sender of mails, without quotes. Default: USER@HOST."},
			{Name: "maintenancedir", Form: Text, Value: "FOLDER",
				global: to(&g.MaintenanceDir, readMaintenanceDir),
				Doc: "Folder whose files take servers out. A file takes out the server that it is " +
					"named after: by address and port, address, host name and port, or host " +
					"name, with or without its domain. The file may have the reason, as " +
					"`why=TEXT`, and when it ends, as `until=18:00` or `until=2026-11-21 " +
					"18:00`. While the folder cannot be read, the servers in maintenance stay " +
					"in maintenance. A start or a reload waits up to 3 seconds for a folder " +
					"that hangs; then the checks alone decide until it answers."},
			{Name: "resolve", Form: Time, Value: "seconds, 1 or more", Extension: true,
				global: to(&g.Resolve,
					timeFrom(1, maxTime, "a time from a second to 10 years: 30, 30s or 5m")),
				Doc: "Time after which the host names of `real` are looked up again. A changed " +
					"address is a new server; the old one goes when the new one is up, or when " +
					"it fails. Ranges keep the addresses that they had when the file was read. " +
					"See [judgement.md](judgement.md#names-that-live)."},
			{Name: "webhook", Form: Text, Value: "URL", Extension: true, Secret: true,
				global: to(&g.Webhook, readWebhook),
				Doc: "Where the state of each virtual service is posted, at the start and at each " +
					"change of a server or of the service: by POST, as the JSON that `onchange` " +
					"gets. The certificate of an `https` URL is verified, a redirect is not " +
					"followed, and the proxy is that of the environment. What fails is tried " +
					"again until it succeeds; meanwhile the latest state of each service waits. " +
					"No part of the URL but the host is shown. See " +
					"[judgement.md](judgement.md#told-by-webhook)."},
			{Name: "listen", Value: "ADDRESS:PORT", Extension: true,
				global: to(&g.Listen, readListen),
				Doc: "Where metrics and health are served by HTTP. Address and port are numbers; " +
					"every address is `0.0.0.0` or `[::]`."},
			{Name: "metrics", Value: "small or full", Default: "full", Extension: true,
				global: to(&g.Metrics, oneOf("small", "full")),
				Doc: "How much `listen` tells: small leaves out what is counted for each real " +
					"server and the buckets of the histogram, for tables of thousands. See " +
					"[status.md](status.md#metrics)."},
			{Name: "statuspage", Value: yesOrNo, Default: "no", Extension: true,
				global: to(&g.StatusPage, yesNo),
				Doc: "A page for browsers at `listen`, and what it shows as JSON: `/`, " +
					"`/status.json`, `/why.json`. Nothing can be changed there. See " +
					"[status.md](status.md#a-page)."},
			{Name: "statushost", Value: "NAME", Extension: true,
				global: to(&g.StatusHost, matching(`^[\w.+-]{1,255}$`,
					"is not a host name; it is a name such as lb.example.com, without http:// and "+
						"without a port")),
				Doc: "Name by which browsers reach the page. Without it the page answers to " +
					"addresses, to localhost and to the host name of the machine alone: a page " +
					"of others cannot read it by a name that leads here."},
			{Name: "statusgroup", Value: "GROUP", Extension: true,
				global: to(&g.StatusGroup, matching(`^[\w.][\w.-]{0,31}$`,
					"is not a group; it is a name of letters, digits, _ - and . with at most 32 "+
						"of them")),
				Doc: "Group whose members may ask the running daemon for its state. Without it only " +
					"root may. Its members give no orders."},
		}},
		chapter{"When a server is up", []Directive{
			{Name: "checktimeout", Form: Time, Value: "seconds, 0.1 or more", Default: "5",
				either: to(&s.CheckTimeout, perlTime),
				Doc:    "Limit of a connect, ping or external check."},
			{Name: "negotiatetimeout", Form: Time, Value: "seconds, 0.1 or more", Default: "30",
				either: to(&s.NegotiateTimeout, perlTime),
				Doc:    "Limit of a negotiate check, from the connect to the last byte."},
			{Name: "checkinterval", Form: Time, Value: "seconds, 0.1 or more", Default: "10",
				either: to(&s.CheckInterval, perlTime),
				Doc: "Time from the start of one check of a server to the start of the next. The " +
					"table is compared with what it should be as often, but at most once a " +
					"second."},
			{Name: "failurecount", Value: "1 or more", Default: "1",
				either: to(&s.FailureCount, number[int](1, 0)),
				Doc:    "Failures in a row that take a server out."},
			{Name: "risecount", Value: "1 or more", Default: "1", Extension: true,
				either: to(&s.RiseCount, number[int](1, 0)),
				Doc: "Successes in a row that bring a server back. The first success of a new " +
					"server is enough."},
			{Name: "window", Value: "N/M, M up to 64", Extension: true,
				either: to(&s.Window, readWindow),
				Doc: "In service while at least N of the last M checks passed. It replaces " +
					"`failurecount` and `risecount`; one place cannot have both."},
			{Name: "fastinterval", Form: Time, Value: "seconds, 0.1 or more, or 0", Default: "0",
				Extension: true,
				either:    to(&s.FastInterval, timeOrNone),
				Doc: "Time from the end of a check whose result speaks against the state of its " +
					"server, which is not enough to change it, to a further check: with " +
					"`failurecount`, `risecount` or `window`. The checks of `checkinterval` are " +
					"made as well. There are at most 500 further checks a second for all " +
					"servers. With 0 there are none."},
		}},
		chapter{"What happens to the table", []Directive{
			{Name: "quiescent", Value: yesOrNo, Default: "no",
				either: to(&s.Quiescent, yesNo),
				Doc: "Give a server that is down weight 0 instead of removing it. It gets no new " +
					"connection and keeps those it has."},
			{Name: "draintime", Form: Time, Value: "seconds, 0.1 or more, or 0", Default: "0",
				Extension: true,
				either:    to(&s.DrainTime, timeOrNone),
				Doc: "How long a server that is removed from the file may keep its connections. It " +
					"gets weight 0 and no new connections. It is removed from the table once it " +
					"has none left, or when the time is over; at once with 0, or with its " +
					"section."},
			{Name: "keepserving", Value: "N or N%", Extension: true,
				either: to(&s.KeepServing, readKeepServing),
				Doc: "How many servers checks must leave in service, as a number or as a percentage " +
					"of the servers of the section that have a weight, rounded up. Those that " +
					"fail beyond that are held: they stay in service as they are. Unreachable " +
					"servers are removed first, servers with wrong answers last. A removed " +
					"server returns only after a successful check. Maintenance and drain are " +
					"always carried out. `ldirectord CONFIG obey VIRTUAL` lets checks remove " +
					"every server. 0 is for a section that does not follow the global one."},
			{Name: "cleanstop", Value: yesOrNo, Default: "yes",
				either: to(&s.CleanStop, yesNo),
				Doc:    "Remove the virtual services, and the rules of `mark`, when the daemon stops."},
			{Name: "repair", Value: yesOrNo, Default: "no", Extension: true,
				either: to(&s.Repair, yesNo),
				Doc: "Undo changes made to real servers by hand within one `checkinterval`. With " +
					"no, such a change counts until the next transition of that server or a " +
					"reload. A server in maintenance is always repaired."},
			{Name: "fallback", Value: fallbackForm,
				either: field{read: readFallback},
				Doc: "Fallback server of IPv4 services: in the table while all real servers are " +
					"down. Without a port it has the port of the service; without a method it " +
					"is gate."},
			{Name: "fallback6", Value: fallbackForm,
				either: field{read: readFallback},
				Doc:    "The same for IPv6 services."},
			{Name: "fallbackcommand", Form: Text, Value: "PROGRAM",
				either: to(&s.FallbackCommand, readFallbackCommand),
				Doc: "Program to run when the fallback server is added or removed. Its arguments: " +
					"`start` when the last server goes down, `stop` when the first is back; the " +
					"address and port of the service; its protocol. Quotes are optional."},
		}},
		chapter{"Notifications", []Directive{
			{Name: "onchange", Form: Text, Value: "COMMAND", Extension: true,
				either: to(&s.OnChange, optionallyQuoted),
				Doc: "Command to run at each change of a server or of a virtual service. Its " +
					"arguments: the id of the service, `available` or `unavailable`, how many " +
					"servers are up, how many there are. The same is on its standard input as " +
					"JSON, with every server and reason. A service is available when the rules " +
					"of its `mark` lines are set. Before a stop or a demotion removes a service " +
					"it becomes unavailable, and the table waits up to 3 seconds for the " +
					"command. One command runs at a time; when changes come faster, the latest " +
					"of each service. Quotes are optional."},
			{Name: "emailalert", Form: Text, Value: "ADDRESS, …",
				either: to(&s.Mail.To, plainText),
				Doc:    "Who gets mail when a server goes down or comes up."},
			{Name: "emailalertdetail", Value: "yes or no", Default: "no", Extension: true,
				either: to(&s.Mail.Detail, yesNo),
				Doc: "After the Perl's lines mails say why, how long the state before lasted, how " +
					"many servers are in service, and the command that tells more. With no they " +
					"are as the Perl's, for programs that read them."},
			{Name: "emailalertfreq", Form: WholeSeconds, Value: "seconds, 0 or more", Default: "0",
				either: to(&s.Mail.Freq, readMailFrequency),
				Doc:    "Time between reminders of a server that stays down; 0 for none."},
			{Name: "emailalertstatus",
				Value:   "all, none, or some of starting, running, stopping, reloading",
				Default: "all",
				either:  to(&s.Mail.Status, readMailStatus),
				Doc: "In which states of the daemon mail is sent. A promotion counts as starting, a " +
					"demotion as stopping. A daemon that stands by sends none."},
			{Name: "smtp", Form: Text, Value: "HOST",
				either: to(&s.Mail.SMTP, readMailServer),
				Doc:    "Mail server, at port 25. Without one the local sendmail(8) is run."},
		}},
		chapter{"Many directors", []Directive{
			{Name: "announce", Value: "DEVICE or no", Extension: true,
				either: to(&s.Announce, readDevice),
				Doc: "Device on which the virtual address is while the service is healthy, for a " +
					"routing daemon to announce it: a dummy device, which is not made here. " +
					"Checks of `gate` servers, but for external ones, do not pass a router " +
					"then: a director that lost its link to the servers must notice. The JSON " +
					"of `onchange` has `announced`, true while the address is on this device. " +
					"Without the directive, and with no, the address is left alone. See " +
					"[directors.md](directors.md)."},
			{Name: "lastresort", Value: "DEVICE or no", Extension: true,
				either: to(&s.LastResort, readDevice),
				Doc: "Device on which the address is instead while its services serve and one of " +
					"them is not healthy: the routing daemon announces it so that it is used " +
					"only if no other director announces the address."},
			{Name: "minservers", Value: "LOW or LOW/HIGH, each N or N%", Extension: true,
				either: to(&s.MinServers, readMinServers),
				Doc: "How many servers must be up for the service to be healthy, as a number or as " +
					"a percentage of the servers that have a weight, rounded up: fewer than LOW " +
					"are not enough, HIGH are again. Without it 1. It counts for `announce`, " +
					"and is told by `onchange`, `status` and the metrics; the table and the " +
					"fallback server do not follow it."},
			{Name: "withdrawwait", Form: Time, Value: "seconds, up to 10, or 0", Default: "3",
				Extension: true,
				global: to(&g.WithdrawWait, timeFrom(0, maxWithdrawWait,
					"a time of up to 10 seconds, such as 3 or 500ms, or 0")),
				Doc: "How long an address that is withdrawn is served on: by the order `withdraw`, " +
					"at a stop and, up to 4 seconds, at a demotion. The routers need that time " +
					"to send its packets elsewhere."},
			{Name: "announceaddress", Value: "ADDRESS, …", Extension: true,
				section: to(&v.AnnounceAddress, readAnnounceAddress),
				Doc: "What is announced for a firewall mark, if not the addresses of its `mark` " +
					"lines."},
		}},
		chapter{"The service and its servers", []Directive{
			{Name: "real", Form: RealServer, Value: realServerForm, Repeats: true,
				section: field{read: readReal},
				Doc:     "A real server of an IPv4 service, or a range of them. See below."},
			{Name: "real6", Form: RealServer, Value: realServerForm, Repeats: true,
				section: field{read: readReal},
				Doc:     "A real server of an IPv6 service, or a range of them."},
			{Name: "protocol", Value: "tcp, udp or fwm",
				section: to(&v.Protocol, readProtocol),
				Doc: "Protocol of the service. Under a mark it is fwm. Without it: udp at port 53, " +
					"else tcp."},
			{Name: "scheduler", Value: "a name of the kernel", Default: "wrr",
				section: to(&v.Scheduler, readScheduler),
				Doc: "Scheduler of the kernel: rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, " +
					"ovf, mh, twos or another one, see ipvsadm(8). Its module is loaded when it " +
					"is needed. `sh` and `mh` refuse the clients of a server with weight 0 " +
					"unless `schedflags` has `sh-fallback` or `mh-fallback`."},
			{Name: "schedflags", Form: Text, Value: "FLAG,FLAG",
				section: to(&v.SchedFlags, readSchedFlags),
				Doc: "Flags of the scheduler, with commas and without blanks: `sh-fallback`, " +
					"`sh-port`, `mh-fallback`, `mh-port`, or `flag-1` to `flag-3` for any other."},
			{Name: "ops", Value: yesOrNo, Default: "no",
				section: to(&v.OnePacket, yesNo),
				Doc:     "Schedule each packet by itself; only for udp."},
			{Name: "servicename", Form: FreeText, Value: "text", empty: nullUnlessWritten,
				section: to(&v.ServiceName, freeText),
				Doc: "Name of the service in mails, status, log and alerts. Commands take it for " +
					"VIRTUAL."},
		}},
		chapter{"Firewall marks", []Directive{
			{Name: "mark", Value: markForm, Extension: true, Repeats: true,
				section: field{read: readMark, get: func() any { return v.Marking }},
				Doc:     "Packets that get the firewall mark of the section. See below."},
		}},
		chapter{"Persistence", []Directive{
			{Name: "persistent", Form: WholeSeconds, Value: "seconds, up to 31 days",
				section: to(&v.Persistent, number[int](1, maxPersistence)),
				Doc: "How long a client stays with its server after its last connection. It does so " +
					"for one port; under a mark for all that carries the mark; with port 0 for " +
					"all ports of the address."},
			{Name: "netmask", Value: "a.b.c.d, or 1 to 128 for IPv6",
				section: to(&v.Netmask, readNetmask),
				Doc: "Which addresses are one client. Without it each address is one. Needs " +
					"`persistent`."},
			{Name: "pename", Value: "sip", Extension: true,
				section: to(&v.PEName,
					matching(`^sip$`, "is not a persistence engine of a plain kernel; it is sip")),
				Doc: "Persistence engine, which recognises clients by the content of their packets. " +
					"sip tells calls apart by their Call-ID, beside the network of the client. " +
					"Needs `persistent`, and udp or a mark: the kernel drops all other packets " +
					"to such a service."},
		}},
		chapter{"The check", []Directive{
			{Name: "checktype", Value: "negotiate, connect, ping, external, external-perl, on, off, or N",
				Default: "negotiate",
				section: field{read: readCheckType, get: func() any { return v.CheckType }},
				Doc: "How servers are checked. negotiate speaks the protocol of `service`; connect " +
					"opens a TCP connection, or pings with udp; external runs `checkcommand`; " +
					"on and off check nothing; N is one negotiate, then N connects."},
			{Name: "service", Value: enumerate(serviceNames),
				section: to(&v.Service, oneOf(serviceNames...)),
				Doc: "What a negotiate check speaks. Without it the port of the virtual service " +
					"decides. `none` is always up."},
			{Name: "checkport", Value: "1 to 65535",
				section: to(&v.CheckPort, number[int](1, maxPort)),
				Doc: "Port that is checked, if not the port of the server. Under a mark it is " +
					"needed where neither `real` nor the service has one."},
			{Name: "checkvip", Value: "no, yes or ADDRESS", Default: "no", Extension: true,
				section: to(&v.checkVIP, readCheckVIP),
				Doc: "Check gate and ipip servers through the virtual address, or through ADDRESS, " +
					"the way clients come: by a private service of IPVS for each server. With " +
					"yes under a mark it is the first single address of the `mark` lines. masq " +
					"servers, and `alsocheck` with ping or external, are checked at the " +
					"server's own address. It is not for the check types ping, external, on and " +
					"off, nor for connect with udp. See [checkvip.md](checkvip.md)."},
			{Name: "alsocheck", Form: Strings, Value: alsoCheckForm, Extension: true, Repeats: true,
				section: field{read: readAlsoCheck, get: func() any { return v.alsoTexts }},
				Doc: "A further check that must pass. TYPE is connect, ping, external (which runs " +
					"`checkcommand`) or a `service`. Without PORT it asks the port of the " +
					"server; under a mark it is needed. `request`, `receive` and the strings of " +
					"a real server are for the check of the section alone."},
			{Name: "request", Form: QuotedText, Value: `"TEXT"`, Default: "/",
				section: to(&v.Request, readRequest),
				Doc: "What a negotiate check asks for: a path (http, https), a URL (http_proxy), a " +
					"name (dns), a query (mysql, pgsql, oracle), a file (ftp), a base (ldap), " +
					"bytes (simpletcp)."},
			{Name: "receive", Form: QuotedText, Value: `"REGEX"`, empty: emptyText,
				appliesTo: forServices(receiveServices...),
				section:   to(&v.Receive, quoted),
				Doc: "Perl regular expression that the answer must match. Without it every answer " +
					"passes. It counts for dns, ftp, http, https, http_proxy, ldap, ldaps, " +
					"redis and simpletcp. Where matching takes too long, the state of the " +
					"server stays as it is."},
			{Name: "httpmethod", Value: "GET or HEAD", Default: "GET",
				section: to(&v.HTTPMethod, readHTTPMethod),
				Doc: "Method of http checks. The answer to HEAD has no body that `receive` could " +
					"match."},
			{Name: "virtualhost", Form: Text, Value: `"NAME"`, empty: nullUnlessWritten,
				section: to(&v.VirtualHost, readVirtualHost),
				Doc: "Host header and TLS server name of http checks. Without it both are the " +
					"address of the server. Quotes are optional."},
			{Name: "checkcommand", Form: Text, Value: `"PROGRAM"`, Default: "/bin/true",
				section: to(&v.CheckCommand, optionallyQuoted),
				Doc: "Program of external checks. Its arguments: virtual address or mark, virtual " +
					"port, real address, real port. Exit status 0 is up. Quotes are optional."},
			{Name: "login", Form: QuotedText, Value: `"NAME"`, empty: emptyText, Secret: true,
				section: to(&v.Login, quoted),
				Doc: "User to log in as. Required for mysql, pgsql and oracle. Without it anonymous " +
					"for ftp, ldirectord@HOST for sip."},
			{Name: "passwd", Form: QuotedText, Value: `"PASSWORD"`, empty: emptyText, Secret: true,
				section: to(&v.Passwd, quoted),
				Doc:     "Password to log in with. Without it ldirectord@HOST for ftp."},
			{Name: "database", Form: QuotedText, Value: `"NAME"`, empty: emptyText,
				section: to(&v.Database, quoted),
				Doc:     "Database to open."},
			{Name: "secret", Form: QuotedText, Value: `"SECRET"`, empty: emptyText, Secret: true,
				section: to(&v.Secret, quoted),
				Doc:     "Shared secret of radius."},
			{Name: "cleartext", Value: yesOrNo, Default: "yes", Extension: true,
				appliesTo: forServices(clearTextServices...),
				section:   to(&v.ClearText, yesNo),
				Doc: "Whether a server that asks for the password in clear gets it. For mysql and " +
					"pgsql. With yes it does, with a warning; with no the check fails."},
		}},
		chapter{"TLS", []Directive{
			{Name: "sni", Form: Text, Value: `"NAME"`, Extension: true,
				section: to(&v.SNI, optionallyQuoted),
				Doc:     "TLS server name, if not the `virtualhost`. Quotes are optional."},
			{Name: "tlsverify", Value: yesOrNo, Default: "no", Extension: true, appliesTo: overTLS,
				section: to(&v.TLSVerify, yesNo),
				Doc: "The certificate of a server must be valid, and for its TLS server name. Where " +
					"there is no such name it must be for the address of the server."},
			{Name: "tlsca", Form: Text, Value: "FILE", Extension: true, appliesTo: overTLS,
				section: to(&v.TLSCA, readableFile),
				Doc: "File of the authorities to trust, as PEM, if not those of the system. Needs " +
					"`tlsverify`. Quotes are optional."},
			{Name: "tlscert", Form: Text, Value: "FILE", Extension: true, appliesTo: overTLS,
				section: to(&v.TLSCert, readableFile),
				Doc: "File of the client certificate to show, as PEM. Needs `tlskey`. Quotes are " +
					"optional."},
			{Name: "tlskey", Form: Text, Value: "FILE", Extension: true, appliesTo: overTLS,
				section: to(&v.TLSKey, readableFile),
				Doc:     "File of the key of the client certificate, as PEM. Quotes are optional."},
			{Name: "tlsexpirywarn", Value: "days, 0 to 3650", Default: "14", Extension: true,
				appliesTo: overTLS,
				section:   to(&v.TLSExpiryWarn, number[int](0, maxExpiryWarn)),
				Doc: "Warn of a server's certificate that ends within this number of days, or has " +
					"ended: once in the log, in status and why. The server stays up. 0: never."},
			{Name: "starttls", Value: yesOrNo, Default: "no", Extension: true,
				appliesTo: forServices(startTLSServices...),
				section:   to(&v.StartTLS, yesNo),
				Doc: "Switch to TLS before anything else is sent. For ftp, imap, ldap, pop, smtp " +
					"and submission."},
		}},
		chapter{"HTTP", []Directive{
			{Name: "followredirect", Value: "yes, server or no", Default: "yes", Extension: true,
				section: to(&v.FollowRedirect, oneOf("yes", "server", "no")),
				Doc: "Redirects of http checks. yes: they are followed, with a warning if one " +
					"leaves the server being checked. server: one that leaves it is a failure. " +
					"no: each one is a failure."},
			{Name: "httpstatus", Value: "200,204,300-399", Extension: true, appliesTo: overHTTP,
				section: to(&v.HTTPStatus, readStatuses),
				Doc:     "Statuses that mean up, from 100 to 599; without it 200 to 299."},
			{Name: "httpheader", Form: Text, Value: "Name: value", Extension: true, Repeats: true,
				Secret:    true,
				appliesTo: overHTTP,
				section:   field{read: readHTTPHeader, get: func() any { return v.HTTPHeaders }},
				Doc: "A further header of the request. Quotes are optional; with a `#` in the value " +
					"they are needed."},
			{Name: "httpuser", Form: QuotedText, Value: `"NAME"`, Extension: true, Secret: true,
				appliesTo: overHTTP,
				section:   to(&v.HTTPUser, readHTTPUser),
				Doc:       "User of basic authentication. Needs `httppasswd`."},
			{Name: "httppasswd", Form: QuotedText, Value: `"PASSWORD"`, Extension: true, Secret: true,
				appliesTo: overHTTP,
				section:   to(&v.HTTPPasswd, readLogin),
				Doc:       "Password of basic authentication."},
		}},
		chapter{"Dialogues and DNS", []Directive{
			{Name: "send", Form: EscapedText, Value: `"TEXT"`, Extension: true, Repeats: true,
				appliesTo: forServices("simpletcp"),
				section:   field{read: readSend},
				Doc:       "What to send next in a dialogue of simpletcp. See below."},
			{Name: "expect", Form: EscapedText, Value: `"REGEX"`, Extension: true, Repeats: true,
				appliesTo: forServices("simpletcp"),
				section:   field{read: readExpect},
				Doc:       "Perl regular expression that the next answer of a dialogue must match."},
			{Name: "dnstype", Value: "A, AAAA, MX, NS, TXT, SOA, CNAME, PTR or SRV", Extension: true,
				appliesTo: forServices("dns"),
				section: to(&v.DNSType,
					upperWord("A", "AAAA", "MX", "NS", "TXT", "SOA", "CNAME", "PTR", "SRV")),
				Doc: "Record type that a dns check asks for. Without it A, or PTR for an " +
					"address."},
			{Name: "dnsrcode", Value: "NOERROR, NXDOMAIN, REFUSED, SERVFAIL or NOTAUTH", Extension: true,
				appliesTo: forServices("dns"),
				section: to(&v.DNSRcode,
					upperWord("NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "NOTAUTH")),
				Doc: "Answer code that means up in a dns check. Without it NOERROR."},
		}},
		chapter{"Accepted, no longer needed", []Directive{
			{Name: "fork", Value: yesOrNo, Default: "no",
				global: to(&g.Fork, yesNo),
				Doc:    "No effect: checks run at the same time anyway."},
			{Name: "readdquiescent", Value: yesOrNo, Default: "no",
				global: to(&g.ReaddQuiescent, yesNo),
				Doc:    "Put a server that was removed by hand back with weight 0 when it goes down."},
			{Name: "checkcount", Value: "1 or more", Default: "1",
				either: to(&s.CheckCount, readCheckCount),
				Doc: "Deprecated: tries of one ping check. `failurecount` is the number of failed " +
					"checks."},
			{Name: "comment", Form: FreeText, Value: "text", empty: nullUnlessWritten,
				section: to(&v.Comment, freeText),
				Doc:     "Note on the service in mails."},
			{Name: "monitorfile", Form: Text, Value: `"PATH"`,
				section: to(&v.MonitorFile, readMonitorFile),
				Doc:     "File that gets a line for each check. Quotes are optional."},
			{Name: "load", Form: QuotedText, Value: `"TEXT"`,
				section: to(&v.Load, readLoad),
				Doc:     "No effect; accepted for old files."},
		}},
	)
}

var directives = tableOf(&Global{}, &Virtual{}, &Settings{})

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
