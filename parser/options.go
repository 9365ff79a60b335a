package parser

import (
	"net/netip"

	"ldirectord/names"
)

// Options are what the parser needs from outside. The zero value resolves nothing and opens nothing.
type Options struct {
	Resolver names.Resolver // nil: only numeric addresses and ports
	Alone    bool           // it makes addresses up: what lies between two names is not known
	// counts, with a warning, where the look-up of a host name fails; nil: nothing is known
	Last names.Last
	Own  func(netip.Addr) bool // is it an address of this machine; nil: not asked
	// a real server whose host name has no address waits for one, see Virtual.Waiting
	Wait    bool
	Before  *Config                 // in force until now, see Virtual.Staying; nil: none
	Refines bool                    // … of which only addresses of names have changed
	TryFile func(path string) error // could a log or monitor file be appended to; nil: not tried
	TryRead func(path string) error // opens a file of certificates or a key for reading; nil: not tried
	// the user whose rights alone an error of TryFile or TryRead is about: it is a warning; "" or nil: it is an
	// error
	User     func(error) string
	DirExist func(path string) bool // is maintenancedir there; nil: not asked
	LogFile  string                 // where none is named; empty: the Perl ldirectord's
	HostName string                 // of this machine, in the default log-ins of ftp and sip
	Strict   bool                   // refuse the layouts that the Perl ldirectord refuses
}
