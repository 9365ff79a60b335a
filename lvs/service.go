package lvs

import (
	"iter"
	"slices"
)

// Service describes a protocol of negotiate checks, except for the protocol itself.
type Service struct {
	Name   string
	Port   uint16 // the usual port; 0 for none
	Traits Trait
}

// Trait is a property of some services.
type Trait uint8

// The traits.
const (
	OverTLS   Trait = 1 << iota // it uses TLS
	StartsTLS                   // it changes to TLS with starttls=yes
	Compares                    // its answer is compared with receive
	// ByUDP: it may be in a virtual service of udp, because checks use UDP, because servers have both protocols at
	// one port (https), or because the port may have any protocol. All others need TCP.
	ByUDP
	ClearText // the server chooses how a password is sent
	Extension // it must be in the file, because the Perl ldirectord does not have it
	Greets    // its server speaks first, or counts and limits connections that send nothing
	Forks     // its server has a process for each connection
)

var services = []Service{
	{"dns", 53, Compares | ByUDP},
	{"ftp", 21, StartsTLS | Compares | Greets},
	{"http", 80, Compares},
	{"https", 443, OverTLS | Compares | ByUDP},
	{"http_proxy", 3128, Compares},
	{"imap", 143, StartsTLS | Greets},
	{"imaps", 993, OverTLS | Greets},
	{"ldap", 389, StartsTLS | Compares},
	{"ldaps", 636, OverTLS | Compares},
	{"mysql", 3306, ClearText | Greets},
	{"nntp", 119, Greets},
	{"none", 0, ByUDP},
	{"oracle", 1521, Greets},
	{"pgsql", 5432, ClearText | Forks},
	{"pop", 110, StartsTLS | Greets},
	{"pops", 995, OverTLS | Greets},
	{"radius", 1812, ByUDP},
	{"simpletcp", 0, Compares | ByUDP},
	{"sip", 5060, ByUDP},
	{"smtp", 25, StartsTLS | Greets},
	{"submission", 587, StartsTLS | Greets},
	{"redis", 6379, Compares | Extension},
	{"tls", 0, OverTLS | ByUDP | Extension},
}

// Services returns every service that a configuration may name.
func Services() iter.Seq[Service] { return slices.Values(services) }

// ServiceOf returns the service of a name.
func ServiceOf(name string) (found Service) {
	for _, s := range services {
		if s.Name == name {
			found = s
		}
	}
	return found
}

// Is reports whether a trait is true of a service.
func (s Service) Is(t Trait) bool { return s.Traits&t != 0 }

// ServicesThat returns the names of the services of which a trait is true, sorted.
func ServicesThat(are Trait) (names []string) {
	for _, s := range services {
		if s.Is(are) {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}
