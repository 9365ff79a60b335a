// Package parser reads ldirectord.cf, the configuration of ldirectord, into a typed Config.
//
// It is pure: bytes in, a configuration and diagnostics out. Names are looked up and files are
// tried only through the functions given in Options.
package parser

import (
	"net/netip"
	"time"
)

// Config is one configuration file, resolved and with every default filled in.
type Config struct {
	Name     string // file name as given to Parse, used in diagnostics
	Global   Global
	Virtuals []Virtual // in file order
	Names    []Name    // the host names that were looked up, sorted
}

// Name is a host name of the file and what became of its look-up.
type Name struct {
	Host string
	IPv6 bool
	Addr netip.Addr // not valid: there is none. With Why it is the last one that is known
	Why  string     // the look-up failed; "" when it did not
}

// Position is a place in the file; both count from 1. The zero Position means "a default".
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"` // in bytes
}

// Global holds what stands outside the virtual sections. Times are whole seconds.
type Global struct {
	CheckTimeout     time.Duration // effective for a virtual without its own
	NegotiateTimeout time.Duration // effective for a virtual without its own
	CheckInterval    time.Duration
	CheckCount       int
	FailureCount     int
	AutoReload       bool
	Callback         string
	Fallback         *GlobalFallback // nil: none
	Fallback6        *GlobalFallback
	FallbackCommand  string
	LogFile          string // a path when it starts with '/', else a syslog facility
	Execute          []string
	Mail             Mail
	EmailAlertFrom   string
	Quiescent        bool
	ReaddQuiescent   bool
	CleanStop        bool
	MaintenanceDir   string
	Supervised       bool
	Fork             bool
	Listen           netip.AddrPort // extension: where metrics are served; invalid: nowhere
	StatusGroup      string         // extension: group that may use the control socket; "" for none

	At    map[string]Position // where the value that counts of each directive was written
	times times
}

// GlobalFallback is a global sorry server. Its port may be named, and a name may mean another port
// for udp than for tcp.
type GlobalFallback struct {
	TCP, UDP Fallback
	HasPort  bool // false: the port of each virtual service
}

// Protocol of a virtual service: how its packets are matched.
type Protocol string

// The protocols of the reference.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
	FWM Protocol = "fwm" // by firewall mark
)

// Forward is the forwarding method towards a real server.
type Forward string

// The forwarding methods.
const (
	Gate Forward = "gate" // direct routing
	Masq Forward = "masq" // NAT
	IPIP Forward = "ipip" // tunnelling
)

// CheckType says what kind of check is made.
type CheckType string

// The check types. Combined is `checktype=N`: one negotiate check, then N connects.
const (
	Negotiate    CheckType = "negotiate"
	Connect      CheckType = "connect"
	Ping         CheckType = "ping"
	External     CheckType = "external"
	ExternalPerl CheckType = "external-perl"
	On           CheckType = "on"
	Off          CheckType = "off"
	Combined     CheckType = "combined"
)

// Virtual is one virtual service with every value effective: its own, the global one, or the default.
type Virtual struct {
	ID       string         // as the reference logs it: tcp:192.0.2.1:80, fwm:3, fwm6:3
	Protocol Protocol       //
	IPv6     bool           // address family, also of a mark
	Addr     netip.AddrPort // invalid under a mark
	Mark     uint32         // 1 or more under a mark, else 0
	Marking  []Marking      // extension: the packets that get the mark, in file order; none: others set it

	Scheduler  string
	SchedFlags string // comma list as written, "" when none
	Persistent int    // seconds; -1 when not persistent
	Netmask    string // dotted quad, or prefix length 1-128 for IPv6; "" when none; counts only with Persistent
	OnePacket  bool   // ops; counts only for udp
	PEName     string // extension: persistence engine (sip), "" for none; counts only with Persistent

	CheckType        CheckType
	NumConnects      int // Combined only
	CheckCommand     string
	CheckPort        int // 0: the real server's
	CheckTimeout     time.Duration
	NegotiateTimeout time.Duration
	CheckInterval    time.Duration
	CheckCount       int
	FailureCount     int
	RiseCount        int // successes before a down server is up again, >= 1 (extension)
	WindowNeed       int // window = WindowNeed/WindowSize (extension); both 0 when not set
	WindowSize       int

	Service     string
	Request     string
	Receive     string
	VirtualHost string
	HTTPMethod  string // GET or HEAD
	Login       string
	Passwd      string
	Database    string
	Secret      string
	Load        string // read for the sake of old files, used by nothing
	SNI         string // extension; "" means VirtualHost

	// Extensions, all opt-in; see checker.Spec, whose fields of these names they become.
	TLSVerify      bool
	TLSCA          string // path; "" for the system's authorities
	TLSCert        string // path; set together with TLSKey
	TLSKey         string
	TLSExpiryWarn  int // days, 1 to 3650; 0: no warning
	StartTLS       bool
	NoClearText    bool     // cleartext=no
	HTTPStatus     string   // statuses 100 to 599 and ranges, as 200,300-399; "" for 2xx
	HTTPHeaders    []string // "Name: value" of RFC 9110, in file order
	HTTPUser       string   // without a colon; set together with HTTPPasswd
	HTTPPasswd     string
	Steps          []Step // simpletcp: send and expect lines in their order, instead of Request and Receive
	DNSType        string // in upper case; "" for A, or PTR for an address
	DNSRcode       string // in upper case; "" for NOERROR
	FollowRedirect string // extension: yes, server or no

	Quiescent       bool
	CleanStop       bool
	Repair          bool      // extension: undo changes made by hand at once
	Fallback        *Fallback // effective: own or global, with its port filled in; nil: none
	OwnFallback     bool      // Fallback was written in this section
	FallbackCommand string
	OnChange        string // extension: a command line to run at each change
	Mail            Mail
	MonitorFile     string
	ServiceName     string
	Comment         string

	Reals   []Real    // in file order, ranges spread out
	Waiting []Waiting // lines of real servers without an address, in file order; none unless Options.Wait

	// At is where the value that counts of each directive of the section was written; "virtual" is
	// the header. What the section does not say itself is not in it.
	At    map[string]Position
	times times
}

// Addresses are those that packets for a virtual service go to; none where the file does not tell.
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

// Marking is one line of `mark`: packets to these addresses and ports get the virtual service's mark.
type Marking struct {
	Dest     netip.Prefix // of the section's family; host bits are zero
	Protocol string       // tcp, udp, sctp or all
	Ports    []PortRange  // in the order written; nil: all ports
	At       Position
}

// PortRange is a range of ports, both ends included, 1 to 65535.
type PortRange struct{ First, Last uint16 }

// times are whole seconds as written. A Duration ends at 292 years, numbers of the file do not.
type times struct{ check, negotiate, interval, mail int64 }

// Step is one line of a dialogue: what to send, or what to expect.
type Step struct {
	Send bool   // else expect
	Text string // send: with its escapes as written, all of them good; expect: a Perl regular expression
}

// Real is one real server of a virtual service. One server may be in a virtual service more than
// once (with a warning); the kernel holds it once, so the last one counts.
type Real struct {
	Addr       netip.AddrPort // port 0 when none was written
	Forward    Forward
	Weight     int
	Lower      int    // connection thresholds; 0 when none
	Upper      int    //
	Request    string // effective
	Receive    string // effective
	OwnRequest bool   // the line brought its own request and receive
	CheckPort  int    // effective port of checks; 0 when there is none
	URL        string // what an http check asks for
	At         Position

	hasLower, hasUpper bool // written, if only as 0
}

// Waiting is a line of real servers that counts when its host name has an address.
type Waiting struct {
	Name   string // the servers as written: web1:80
	Host   string // the name that has no address
	Why    string // it has none
	Weight int
	At     Position
}

// Fallback is a sorry server.
type Fallback struct {
	Addr    netip.AddrPort
	Forward Forward
	Weight  int
	At      Position
}

// Mail says who hears of changes, and when.
type Mail struct {
	To     string        // "" for none; as written
	Freq   time.Duration // between reminders; 0: none
	Status MailStatus
	SMTP   string // server; "" means the local sendmail
}

// MailStatus is the set of daemon states in which mail is sent.
type MailStatus uint8

// The states of emailalertstatus.
const (
	MailStarting MailStatus = 1 << iota
	MailRunning
	MailStopping
	MailReloading
	MailAll = MailStarting | MailRunning | MailStopping | MailReloading
)
