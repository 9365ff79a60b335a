package parser

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"ldirectord/internal/lvs"
)

// Directive describes a directive: where it may be written, its default, and how it is read and shown.
type Directive struct {
	Name      string
	Form      Form     // that of the value's type, unless a word of the tag names another
	Default   string   // as in a file; "" for none
	Extension bool     // unknown to the Perl ldirectord
	Repeats   bool     // each line adds a value; for other directives the last line counts
	Secret    bool     // WithoutSecrets and Render hide its value
	words     []string // of its tag, and where it may be written
	Services  string   // the services whose checks use it, for messages; "" for all
	read      reading
	kept      map[reflect.Type][]int // the indexes of its field in Global and Virtual
}

// newDirective reads the tag `cf` of a field: the name of its directive, the default after =, and words:
//
//	extension, repeats, secret   see Directive
//	shown-empty, shown-written   JSON shows an empty value without a default as empty: always, or only if it is
//	                             written; without these words, JSON shows null
//	check                        a checkdef may have the directive, as it may have every directive with Services
//	for-tls                      used by services over TLS, and by those that name it in
//	                             checker/settings/service.go
//	as-…                         see forms
//
// A directive may be written where its field is: outside of sections for Global, in a section for Virtual, and in both
// places for Settings. A section without a value of its own takes the global value.
func newDirective(tag string, form Form) *Directive {
	words := strings.Split(tag, ",")
	d := &Directive{words: words[1:], Form: form, read: of(yesNo), kept: map[reflect.Type][]int{}}
	d.Name, d.Default, _ = strings.Cut(words[0], "=")
	d.Extension, d.Repeats, d.Secret = d.is("extension"), d.is("repeats"), d.is("secret")
	for _, word := range d.words {
		if as, ok := forms[word]; ok {
			d.Form = as
		}
	}
	d.Services = d.usedBy()
	return d
}

// forms maps words of a tag to forms. Without such a word, the form depends on the type of the value.
var forms = map[string]Form{"as-words": Words, "as-seconds": WholeSeconds, "as-server": RealServer,
	"as-strings": Strings, "as-escaped": EscapedText, "as-text": Text, "as-free": FreeText}

// is reports whether the directive's tag has a word.
func (d *Directive) is(word string) bool { return slices.Contains(d.words, word) }

// Directives returns the table of all directives. Their descriptions are in internal/docs/directives.txt.
func Directives() []*Directive { return slices.Clone(directives) }

// These are limits that the Perl ldirectord does not check. ipvsadm refuses a longer persistence. The kernel's fields
// hold no larger weights, thresholds or ports. A health window must fit into 64 bits.
const (
	maxPersistence = 31 * 24 * 60 * 60 // seconds
	maxWeight      = 1<<31 - 1
	maxThreshold   = 1<<32 - 1
	maxWindow      = 64
	maxPort        = 1<<16 - 1
	maxExpiryWarn  = 3650 // days
)

// Messages share these texts with internal/docs/directives.txt.
const (
	realServerForm = `ADDRESS[->ADDRESS][:PORT] gate|masq|ipip [WEIGHT] ` +
		`["REQUEST", "RECEIVE"] [l:N] [u:N] [comeback=order] [tags=NAME,…]`
	realFileForm = `/PATH gate|masq|ipip [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N] [comeback=order] ` +
		`[tags=NAME,…]`
	realNamesForm = `NAME:PORT gate|masq|ipip [WEIGHT] ["REQUEST", "RECEIVE"] [l:N] [u:N] [comeback=order] ` +
		`[tags=NAME,…]`
	fallbackForm  = "ADDRESS[:PORT] [gate|masq|ipip]"
	markForm      = "ADDRESS[/LENGTH] tcp|udp|sctp|all PORT,PORT:PORT,…|all"
	alsoCheckForm = `TYPE [PORT] ["REQUEST" ["RECEIVE"]] [weight=N%]`
)

// Channels receive the states of all virtual services. A reload that changes the channels sends all states again.
type Channels struct {
	Webhook string `cf:"webhook,extension,secret"` // the URL to which states are posted; "" for none
}

// withoutField lists directives whose values are not stored in a field as written. The words after a name also say
// where the directive may be written.
var withoutField = []string{
	"virtual,header", "virtual6,header", "defaults,header,extension",
	"checkdef,header,extension",
	"fallback,global,section", "fallback6,global,section",
	"alsofallback,section,extension,repeats",
	"real,section,repeats,as-server", "real6,section,repeats,as-server",
	"passwdfile,section,extension,check",
	"secretfile,section,extension,check",
	"httppasswdfile,section,extension,check",
	"backup,section,extension,repeats,as-server",
	"realfile,section,extension,repeats,as-server",
	"realnames,section,extension,repeats,as-server",
	"send,section,extension,repeats,as-escaped", "expect,section,extension,repeats,as-escaped",
}

// readers maps directives to the functions that read their values. Except for virtual and virtual6, all other
// directives are yes or no.
var readers = map[string]reading{
	// Global
	"include":        alone(readInclude),
	"callback":       of(inQuotes),
	"logfile":        of(readLogFile),
	"execute":        alone(readExecute),
	"emailalertfrom": of(rawText),
	"maintenancedir": of(readMaintenanceDir),
	"shrinkwait":     timeFrom(0, maxTime, "a time from 0 to 10 years, such as 600, 600s or 10m"),
	"resolve":        timeFrom(1, maxTime, "a time from 1 second to 10 years, such as 30, 30s or 5m"),
	"timeouts":       of(readTimeouts),
	"webhook":        of(readWebhook),
	"listen":         of(readListen),
	"metrics":        oneOf("small", "full"),
	"statushost": matching(`^[\w.+-]{1,255}$`,
		"is not a host name; it must be a name such as lb.example.com, without http:// and without a port"),
	"statusgroup": matching(`^[\w.][\w.-]{0,31}$`,
		"is not a group; it must be a name of at most 32 letters, digits, dots, hyphens and underscores"),
	// When a server is up
	"checktimeout negotiatetimeout checkinterval": of(perlTime),
	"failurecount risecount":                      of(number(1, 0)),
	"checkcount":                                  of(readCheckCount),
	"window": parsed(parseWindow, fmt.Sprintf("is not a window; it must be N/M with 1 <= N <= M <= %d, "+
		"such as 7/10", maxWindow)),
	"fastinterval draintime": of(timeOrNone),
	"samewait":               of(func(v *value) int32 { return int32(math.Ceil(float64(timeOrNone(v)))) }),
	"watch": parsed(parseWatch, fmt.Sprintf("is not allowed; it must be yes, no, or whole seconds from 1 to "+
		"%v, such as 5 or 1m", maxSilence)),
	"observe": oneValue("yes, out or no", lvs.Reported, lvs.LeftOut, lvs.NotObserved),
	// What happens to the table
	"fallback fallback6 alsofallback": alone(readFallback),
	"fallbackcommand":                 of(readFallbackCommand),
	"fallbackcheck":                   oneOf("no", "connect", "section"),
	"keepserving": parsed(parsePart, "is not allowed; it must be a number of servers, such as 2, or a "+
		"percentage from 0% to 100%, such as 50%"),
	"slowstart": of(durationOrNone),
	"pace paceout": parsed(parsePace, "is not allowed; it must be a number or a percentage of servers, a "+
		"slash and a time, such as 1/10 or 25%/1m, the time "+timeAllowed[len("a time "):]+"; or 0 for none"),
	"holddown": parsed(parseHoldDown, "is not allowed; it must be TIME or TIME,MAX with MAX at least TIME, "+
		"such as 30 or 30,5m, each "+timeAllowed+"; or 0 for none"),
	"comeback": oneValue("checks or order", !lvs.ByOrder, lvs.ByOrder),
	"onfail": parsed(parseOnFail, "is not allowed; it must be keep, cut, or a time of whole seconds from 1 "+
		"to 10 years, such as 30 or 5m; or 0 to leave it to quiescent"),
	"minservers backupbelow": parsed(parseMinServers, "is not allowed; it must be a number of servers, such as "+
		"2, or a percentage from 1% to 100%, or two of them as LOW/HIGH, such as 1/2"),
	// Notifications
	"emailalert":                of(plainText),
	"emailalertfreq":            of(readMailFrequency),
	"emailalertstatus":          of(readMailStatus),
	"smtp":                      of(readMailServer),
	"checkcommand onchange sni": of(optionallyQuoted),
	"checkargs":                 of(readCheckArgs),
	"monitorfile":               of(readMonitorFile),
	// Many directors
	"announce lastresort": parsed(parseDevice, fmt.Sprintf("is not a device; it must be the name of a dummy "+
		"device such as lvs0, or no; a name has at most %d letters, digits, dots, hyphens and underscores",
		maxDevice)),
	"withdrawwait":    timeFrom(0, maxWithdrawWait, "a time of up to 10 seconds, such as 3 or 500ms, or 0"),
	"withdrawon":      oneOf("broken", "no"),
	"announceaddress": of(readAnnounceAddress),
	// The service and its servers
	"real real6 backup":   alone(readReal),
	"realfile":            alone(readRealFile),
	"realnames":           alone(readRealNames),
	"defaults checkdef":   alone(readBlock),
	"use":                 of(readBlockName),
	"protocol":            of(readProtocol),
	"scheduler":           of(readScheduler),
	"schedflags":          of(readSchedFlags),
	"servicename comment": of(freeText),
	"mark":                alone(readMark),
	"persistent":          of(number(1, maxPersistence)),
	"netmask":             of(readNetmask),
	"pename": matching(`^sip$`,
		"is not a persistence engine of the standard kernel, which has only sip"),
	// The check
	"checktype":   alone(readCheckType),
	"service":     of(readService),
	"checkport":   of(number(1, maxPort)),
	"silence":     parsed(parseSilence, "is not allowed; it must be up or down"),
	"checksource": of(readCheckSource),
	"checkdevice": of(readCheckDevice),
	"checkmark":   of(readCheckMark),
	"request":     of(readRequest),
	"receive login passwd database secret sqlreceive same": of(quoted),
	"virtualhost": of(readVirtualHost),
	"load":        of(readLoad),
	"checkvip":    of(readCheckVIP),
	"alsocheck":   alone(readAlsoCheck),
	"agentsend":   of(readEscaped),
	// TLS, HTTP, dialogues and DNS
	"tlsca tlscert tlskey":   of(readableFile),
	"tlsexpirywarn":          of(number(0, maxExpiryWarn)),
	"httpmethod":             of(readHTTPMethod),
	"followredirect":         oneOf("yes", "server", "no"),
	"httpstatus drainstatus": of(readStatuses),
	"httpheader":             alone(readHTTPHeader),
	"httpuser":               of(readHTTPUser),
	"httpbody":               of(quoted),
	"receiveheader":          of(readReceiveHeader),
	"httppasswd":             of(readLogin),
	"agentport smtpport":     of(func(v *value) uint16 { return uint16(number(1, maxPort)(v)) }),
	"smtptls": oneValue("no, offered or required", MailInClear,
		MailIfOffered, MailOnlyOver),
	"smtpuser":                             of(optionallyQuoted),
	"smtppasswdfile":                       of(readSecretFile),
	"passwdfile secretfile httppasswdfile": alone(func(v *value) { readSecretFile(v) }),
	"send expect":                          alone(readStep),
	"dnstype":                              upperWord("A", "AAAA", "MX", "NS", "TXT", "SOA", "CNAME", "PTR", "SRV"),
	"dnsrcode":                             upperWord("NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL", "NOTAUTH"),
}

var directives, byName, directiveNames = index()

// index returns the directives as a list and by name, and a list of their names.
func index() (list []*Directive, byName map[string]*Directive, names []string) {
	byName = map[string]*Directive{}
	add := func(tag string, form Form) *Directive {
		d := newDirective(tag, form)
		if there := byName[d.Name]; there != nil {
			return there // both global and in a section
		}
		byName[d.Name] = d
		list, names = append(list, d), append(names, d.Name)
		return d
	}
	for _, of := range []struct {
		place string
		reflect.Type
	}{{"global", reflect.TypeFor[Global]()}, {"section", reflect.TypeFor[Virtual]()}} {
		for _, field := range reflect.VisibleFields(of.Type) {
			if tag, ok := field.Tag.Lookup("cf"); ok {
				d := add(tag, formOf(reflect.Zero(field.Type).Interface()))
				d.words = append(d.words, of.place)
				d.kept[of.Type] = field.Index
			}
		}
	}
	for _, tag := range withoutField {
		add(tag, Words)
	}
	for directives, read := range readers {
		for name := range strings.FieldsSeq(directives) {
			byName[name].read = read
		}
	}
	return list, byName, names
}

// removed maps directives of old releases to their replacements.
var removed = map[string]struct {
	instead string
	section bool // refused as removed in a section, too; false: refused there as unknown
}{
	"timeout":        {instead: "checktimeout and negotiatetimeout"},
	"connecttimeout": {instead: "negotiatetimeout", section: true},
}
