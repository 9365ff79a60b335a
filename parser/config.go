// Package parser reads ldirectord.cf, the configuration of ldirectord, into a typed Config. directives.go is the table
// of all directives, with the values that each may have. Values with rules of their own are read in the *values.go
// files, and in files named after their subject, such as mark.go. names.go replaces host names with addresses, and
// expands ranges. Names and defaults of directives are in the tags of Config's fields.
//
// The parser has no side effects: it takes bytes, and returns a configuration and diagnostics. It looks up names and
// opens files only through the functions in Options.
package parser

import (
	"crypto/sha256"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"ldirectord/checker/settings"
	"ldirectord/internal/lvs"
	"ldirectord/internal/resolve"
)

// Config is one configuration file with its names resolved and every default filled in.
type Config struct {
	Name     string // file name as given to Parse, used in diagnostics
	Global   Global
	Virtuals []*Virtual     // in file order
	Names    []resolve.Name // the host names that were looked up, sorted
	Parts    []string       // paths of the files read by include
	// SHA-256 of the passwords in files, by path; without credentials and smtppasswdfile
	Secrets map[string][sha256.Size]byte
	Unsound []*Virtual // sections with an error, as far as they were read, for further diagnostics

	hidesSecrets bool            // its JSON leaves secrets out
	blocks       map[int]blockID // the block of each line that is in one, by line number
}

// Position is a place in a file. Lines and columns are counted from 1. Line 0 means the file as a whole.
type Position struct {
	File   string
	Line   int32
	Column int32 // in bytes
}

// Settings are the values of directives that may be global or in a section. In Global they are the global values. In
// Virtual they are the section's own values, or else the global values.
type Settings struct {
	// equal to negotiatetimeout if only that is written
	CheckTimeout     Seconds `cf:"checktimeout=5,check"`
	NegotiateTimeout Seconds `cf:"negotiatetimeout=30,check"` // equal to checktimeout if only that is written
	CheckInterval    Seconds `cf:"checkinterval=10"`
	// the interval while a server's state is in doubt; 0: checkinterval
	FastInterval Seconds `cf:"fastinterval=0,extension"`
	Watch        Watch   `cf:"watch=no,extension"`
	CheckCount   int     `cf:"checkcount=1"`
	FailureCount int     `cf:"failurecount=1"`
	// successes before a down server is up again, >= 1
	RiseCount int    `cf:"risecount=1,extension"`
	Window    Window `cf:"window,extension"` // zero when not set
	CleanStop bool   `cf:"cleanstop=yes"`
	// for how many seconds a server may differ from the others of its section before this is reported; 0: never
	SameWait int32 `cf:"samewait=600,extension,as-seconds"`
	lvs.Policy
	// how long a server that was removed from the file may keep its connections; 0: not at all
	DrainTime       Seconds `cf:"draintime=0,extension"`
	FallbackCommand string  `cf:"fallbackcommand"`
	FallbackCheck   string  `cf:"fallbackcheck=no,extension"` // no, connect or section, see Fallbacks
	OnChange        string  `cf:"onchange,extension"`         // a command line to run at each change
	// the device on which the address is announced; "" for none
	Announce string `cf:"announce,extension"`
	// the device on which the address is announced as a last resort; "" for none
	LastResort string `cf:"lastresort,extension"`
	Mail

	// At maps each directive to the position of its effective value, and "virtual" to a section's header. A
	// section's At has only the directives of the section and of the blocks that it uses.
	At map[string]Position
}

func (s *Settings) has(directive string) bool {
	_, ok := s.At[directive]
	return ok
}

// Seconds is a time as written, in seconds, 0 or more. It may exceed maxTime in directives for which the Perl
// ldirectord accepts any number.
type Seconds float64

// Duration returns the time as a Duration, rounded to nanoseconds and limited to maxTime.
func (s Seconds) Duration() time.Duration {
	whole, fraction := math.Modf(float64(min(s, maxTime)))
	return time.Duration(whole)*time.Second + time.Duration(math.Round(fraction*float64(time.Second)))
}

// Window is the rule that a server is up if at least Need of its last Of checks passed. The limits are 1 <= Need <= Of
// <= 64.
type Window struct{ Need, Of int }

// String returns the rule as it is written in the file: 7/10.
func (w Window) String() string { return fmt.Sprintf("%d/%d", w.Need, w.Of) }

// Global holds the values of directives outside of sections.
type Global struct {
	Channels
	Include    []string        `cf:"include,extension,repeats,as-text"` // patterns of paths, in file order
	AutoReload bool            `cf:"autoreload=no"`
	Callback   string          `cf:"callback,shown-written"`
	Fallback   *GlobalFallback // nil: none
	Fallback6  *GlobalFallback
	// a path when it starts with '/', else a syslog facility
	LogFile        string   `cf:"logfile=\"/var/log/ldirectord.log\""`
	Execute        []string `cf:"execute,repeats,as-text,shown-empty"` // in file order, each once
	EmailAlertFrom string   `cf:"emailalertfrom"`
	ReaddQuiescent bool     `cf:"readdquiescent=no"`
	EmptyOK        bool     `cf:"emptyok=no,extension"` // lists of servers may be empty
	// how long a list that has lost many servers is not used, see List.Shrunk
	ShrinkWait     Seconds `cf:"shrinkwait=600,extension"`
	MaintenanceDir string  `cf:"maintenancedir"`
	Supervised     bool    `cf:"supervised=no"`
	Fork           bool    `cf:"fork=no"`
	// the interval of repeated look-ups of real servers' names; 0: none
	Resolve Seconds `cf:"resolve,extension"`
	// how long the kernel remembers idle connections; 0 leaves a timeout as it is
	Timeouts lvs.Timeouts `cf:"timeouts,extension"`
	// how long the services of a withdrawn address still serve; up to 10 s
	WithdrawWait Seconds `cf:"withdrawwait=3,extension"`
	// "no", or "broken": while this machine can't forward packets, addresses move to the device of lastresort; if
	// there is no such device, they are withdrawn
	WithdrawOn string         `cf:"withdrawon=no,extension"`
	Listen     netip.AddrPort `cf:"listen,extension"` // where metrics are served; invalid: nowhere
	// full, or small to omit most series of each real server
	Metrics string `cf:"metrics=full,extension"`
	// whether Listen also serves a page for browsers
	StatusPage bool   `cf:"statuspage=no,extension"`
	StatusHost string `cf:"statushost,extension"` // a further host name of the status page; "" for none
	// group that may use the control socket; "" for none
	StatusGroup string `cf:"statusgroup,extension"`
	Settings
}

// GlobalFallback is a global fallback server. The name of its port may mean different ports for udp and tcp.
type GlobalFallback struct {
	TCP, UDP Real
	HasPort  bool // false: the port of each virtual service
}

// Virtual is one virtual service with its effective values: its own, or else the global ones, or else the defaults.
type Virtual struct {
	Settings
	lvs.Key
	ID   string // the ID of the Key
	Part string // the path of the included file that it is in; "" for the main file
	// the block of defaults whose lines it uses; "" for none
	Use string `cf:"use,extension"`
	// the checkdef that is the section's own check; "" for none
	CheckName string
	// the packets to mark, in file order; none: another program sets the mark
	Marking []Marking `cf:"mark,extension,repeats"`

	// the addresses to announce for a mark, in file order; none: the addresses of Marking
	AnnounceAddress []netip.Addr `cf:"announceaddress,extension"`

	Scheduler  string  `cf:"scheduler=wrr"`
	SchedFlags string  `cf:"schedflags"`            // as written, separated by commas; "" when none
	Persistent int     `cf:"persistent,as-seconds"` // seconds, up to 31 days; 0 when not persistent
	Netmask    Netmask `cf:"netmask"`               // only with Persistent
	// persistence engine (sip), "" for none; only with Persistent
	PEName string `cf:"pename,extension"`

	// one of the check types; Agent is never written in a file
	CheckType    string `cf:"checktype=negotiate,as-words,check"`
	NumConnects  int    // between two negotiate checks; only with Combined
	CheckCommand string `cf:"checkcommand=/bin/true,check"`
	// the arguments of CheckCommand, see Arguments; "": the usual four
	CheckArgs string `cf:"checkargs,extension,check"`
	CheckPort int    `cf:"checkport,check"` // 0: that of the real server or service, see PortOf
	settings.Origin
	// further checks, in file order
	AlsoChecks []AlsoCheck `cf:"alsocheck,extension,repeats,as-strings"`
	Tells
	// extension: the virtual address through which gate and ipip servers are checked; the zero Addr: they are
	// checked at their own addresses
	CheckVIP   netip.Addr
	WrittenVIP string `cf:"checkvip=no,extension"` // checkvip: yes, no or an address

	Service string `cf:"service,check"`
	Request string `cf:"request=\"/\""`
	Receive string `cf:"receive,shown-empty"`
	Same    string `cf:"same,extension"` // what the answers of servers should have in common
	settings.Account
	settings.HTTP
	settings.TLS
	VirtualHost string `cf:"virtualhost,shown-written,for-tls"`
	Load        string `cf:"load"`                  // accepted for old files, without effect
	SNI         string `cf:"sni,extension,for-tls"` // "" means VirtualHost

	StartTLS bool `cf:"starttls=no,extension"`
	UseTLS   bool `cf:"tls=no,extension"`
	// the password may be sent in clear text
	ClearText bool `cf:"cleartext=yes,extension"`
	// The small fields from here to Silence are side by side to save memory.
	Observe   lvs.Observe `cf:"observe=no,extension"` // see Observes
	OnePacket bool        `cf:"ops=no"`               // only for udp
	isAlso    bool        // it is a further check, see Checks
	lenient   bool        // a mistake in its lists caused only a warning
	// the state of a server that does not answer datagrams, see PingsTheSilent
	Silence silence `cf:"silence=down,extension,check"`
	// "Name: value" of RFC 9110, in file order
	HTTPHeaders []string        `cf:"httpheader,extension,repeats,secret,as-text"`
	Steps       []settings.Step // simpletcp: send and expect lines in their order, instead of Request and Receive
	DNSType     string          `cf:"dnstype,extension"`  // in upper case; "": A, or PTR if an address is asked for
	DNSRcode    string          `cf:"dnsrcode,extension"` // in upper case; "" for NOERROR

	// first the section's or the global fallback server, with its port filled in; then those of alsofallback, in
	// file order. With fallbackcheck, the first one that passes its check serves. none: there is no fallback
	AllFallbacks []Real
	MonitorFile  string `cf:"monitorfile"`
	ServiceName  string `cf:"servicename,shown-written,as-free"`
	Comment      string `cf:"comment,shown-written,as-free"`

	Reals   []Real    // in file order, one for each address of a range; backups come last
	Waiting []Waiting // lines of real servers without an address, in the same order; none unless Options.Wait
	// servers of the previous configuration, kept while a new host name has no address or a new list is missing,
	// because that name may be mistyped; some of the servers may also be in Reals
	Staying []Real

	also    []*Virtual // see Checks
	missing []string   // lists, see List.Missing
}

// Tells says how the servers of a section report their weight. This is an extension.
type Tells struct {
	AgentPort uint16 `cf:"agentport,extension"` // the port that is asked; 0: none
	// the exit status of checkcommand is a weight
	ExternalWeight bool   `cf:"externalweight=no,extension"`
	AgentSend      string `cf:"agentsend,extension,as-escaped"` // the bytes that are first sent to AgentPort
	// the statuses of http and https by which a server asks for no new clients; none of them is in HTTPStatus
	DrainStatus settings.HTTPStatuses `cf:"drainstatus,extension"`
}

// Addresses returns the destination addresses of a virtual service's packets, if the file names them.
func (v *Virtual) Addresses() []netip.Prefix {
	if v.Mark == 0 {
		return []netip.Prefix{netip.PrefixFrom(v.Addr.Addr(), v.Addr.Addr().BitLen())}
	}
	var addresses []netip.Prefix
	for _, m := range v.Marking {
		addresses = append(addresses, m.Dest)
	}
	return addresses
}

// Announced returns the addresses that are announced for a virtual service. Without `announce` there are none.
func (v *Virtual) Announced() (addresses []netip.Addr) {
	switch {
	case v.Announce == "":
	case len(v.AnnounceAddress) > 0:
		return v.AnnounceAddress
	default:
		for _, a := range v.Addresses() {
			if !slices.Contains(addresses, a.Addr()) {
				addresses = append(addresses, a.Addr())
			}
		}
	}
	return addresses
}

// Marking is one line of `mark`: packets that get the virtual service's mark.
type Marking struct {
	lvs.Packets
	At Position
}

// Real is one real server of a virtual service, or its fallback server. The parser warns if a virtual service has a
// server more than once. The kernel has only one entry for such a server, with the forwarding method and weight of the
// last line whose checks pass.
type Real struct {
	Addr     netip.AddrPort // port 0 when none was written
	Forward  lvs.Forward
	Backup   bool         // extension: in service only while too few others are
	Comeback lvs.Comeback // extension: overrides the section's

	hasLower, hasUpper bool // whether a threshold was written, even 0

	Weight int
	Lower  int       // lower connection threshold; 0 when none
	Upper  int       // upper connection threshold; 0 when none
	Own    *Exchange // the line's request and answer, see Virtual.Asks; nil: none
	At     Position
	Named  *Named   // nil unless the line has one host name
	Tags   lvs.Tags // extension
}

// Exchange is a request, and the pattern that its answer must match.
type Exchange struct{ Request, Receive string }

// Named contains the host name of a real server, and its earlier addresses.
type Named struct {
	Host string // as written
	// its address may change while the daemon is running, so messages use the name; see Global.Resolve
	Followed bool
	Earlier  []Real // the same server at its former addresses, see resolve.Name
}

// Waiting is a line of real servers that takes effect as soon as its host names have addresses.
type Waiting struct {
	Name    string // as orders such as drain name it: web1:80; a range as written
	IsRange bool
	Host    string // the first name without an address
	Why     string // why it has none
	Weight  int
	Backup  bool
	Tags    lvs.Tags
}

// Mail says where and when mail about changes is sent.
type Mail struct {
	To   string  `cf:"emailalert"`                  // "" for none; as written
	Freq Seconds `cf:"emailalertfreq=0,as-seconds"` // between reminders; 0: none
	// the states of the daemon in which it sends mail; in the order of lvs.Statuses
	Status []lvs.Status `cf:"emailalertstatus=all"`
	SMTP   string       `cf:"smtp"` // server; "" means the local sendmail
	Port   uint16       `cf:"smtpport=25,extension"`
	TLS    MailTLS      `cf:"smtptls=no,extension"`
	Detail bool         `cf:"emailalertdetail=no,extension"` // more details than in the Perl ldirectord's mail
	User   string       `cf:"smtpuser,extension"`            // "": no log-in
	// the file with the user's password: a path, or credential:NAME
	PasswdFile string `cf:"smtppasswdfile,extension"`
}
