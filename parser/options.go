package parser

import (
	"net/netip"

	"ldirectord/internal/resolve"
)

// Options contains the functions and facts that the parser needs. With the zero value, the parser looks up no names and
// opens no files.
type Options struct {
	Resolver resolve.Resolver // nil: only numeric addresses and ports
	Alone    bool             // Resolver invents addresses, so the size of a range between two names is unknown
	// returns the last known address, which is used with a warning if a look-up fails; nil: none is known
	Last resolve.Last
	Own  func(netip.Addr) bool // whether an address belongs to this machine; nil: not tested
	// a real server whose host name has no address waits for one, see Virtual.Waiting
	Wait    bool
	Before  *Config                 // the configuration in force, see Virtual.Staying; nil: none
	Refines bool                    // the text is that of Before; only addresses of names, and lists, may differ
	Returns bool                    // the file was in force before a reload, and must be accepted again
	TryFile func(path string) error // tests whether a log or monitor file can be appended to; nil: not tested
	TryRead func(path string) error // opens a file of certificates or a key for reading; nil: not tested
	// returns the first line of a password file or of credential:NAME, and possibly a warning; err is the reason
	// why the file can't be used. nil: no file is read, and … is used as the password
	ReadSecret func(path string) (secret, warning string, err error)
	// returns the name of the user if an error of TryFile or TryRead means only that this user lacks rights. Such
	// an error becomes a warning. "" or nil: it remains an error
	User     func(error) string
	DirExist func(path string) bool // whether a folder exists; nil: not tested
	LogFile  string                 // the default of logfile; "": that of the Perl ldirectord
	HostName string                 // the name of this machine, in the default log-ins of ftp and sip
	Lists    map[string]List        // the lists of realfile and realnames, see RealLists
	// refuse what the Perl ldirectord refuses, except for extensions; also refuse times that it reads otherwise
	Strict bool
}
