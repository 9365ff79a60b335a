package settings

import (
	"iter"
	"slices"
	"strings"
)

// Service describes a service of negotiate checks. The conversation of its check is in package protocol.
type Service struct {
	Name   string
	Port   uint16 // the usual port; 0 for none
	Traits Trait
	Uses   string // the directives that its check uses, without those for all checks or for all checks over TLS
}

// Trait is a property of some services.
type Trait uint8

// The traits.
const (
	OverTLS Trait = 1 << iota // it uses TLS
	// ByUDP: its check suits a virtual service with protocol=udp, because the check uses UDP, its servers use the
	// port for both TCP and UDP (https), or its port is not tied to a protocol. The checks of all other services
	// use TCP.
	ByUDP
	Extension // the Perl ldirectord does not have it, so a port never implies it
	Greets    // its server speaks first, or counts and limits connections that send nothing
	Forks     // its server starts a process for each connection
)

const (
	queries  = "request login passwd database "
	overHTTP = "request receive same receiveheader httpmethod httpbody " +
		"followredirect httpstatus httpheader httpuser httppasswd"
)

// services is sorted by name.
var services = []Service{
	{"dns", 53, ByUDP, "request receive dnstype dnsrcode"},
	{"ftp", 21, Greets, "request receive login passwd starttls"},
	{"grpc", 0, Extension, "request virtualhost tls"},
	{"http", 80, 0, overHTTP + " virtualhost"},
	{"http_proxy", 3128, 0, overHTTP},
	{"https", 443, OverTLS | ByUDP, overHTTP + " virtualhost"},
	{"imap", 143, Greets, "login passwd starttls"},
	{"imaps", 993, OverTLS | Greets, "login passwd"},
	{"ldap", 389, 0, "request receive login passwd starttls"},
	{"ldaps", 636, OverTLS, "request receive login passwd"},
	{"mysql", 3306, Greets, queries + "sqlreceive cleartext tls"},
	{"nntp", 119, Greets, ""},
	{"none", 0, ByUDP, ""},
	{"oracle", 1521, Greets, queries},
	{"pgsql", 5432, Forks, queries + "sqlreceive cleartext virtualhost sni tls"},
	{"pop", 110, Greets, "login passwd starttls"},
	{"pops", 995, OverTLS | Greets, "login passwd"},
	{"radius", 1812, ByUDP, "login passwd secret"},
	{"redis", 6379, Extension, "receive login passwd tls"},
	{"simpletcp", 0, ByUDP, "request receive same send expect tls"},
	{"sip", 5060, ByUDP, "login"},
	{"smtp", 25, Greets, "starttls"},
	{"submission", 587, Greets, "starttls"},
	{"tls", 0, OverTLS | ByUDP | Extension, ""},
}

// Services returns every service that a configuration may name.
func Services() iter.Seq[Service] { return slices.Values(services) }

// ServiceOf returns the service with the given name, or the zero Service.
func ServiceOf(name string) (found Service) {
	for _, s := range services {
		if s.Name == name {
			found = s
		}
	}
	return found
}

// Is reports whether a service has a trait.
func (s Service) Is(t Trait) bool { return s.Traits&t != 0 }

// Takes reports whether Uses contains a directive. A directive that names a file counts as the one that it replaces:
// passwdfile, for example, as passwd.
func (s Service) Takes(directive string) bool {
	directive = strings.TrimSuffix(directive, "file")
	for used := range strings.FieldsSeq(s.Uses) { // allocates nothing: called for each directive and service
		if used == directive {
			return true
		}
	}
	return false
}

// ServicesThat returns the names of the services for which match returns true, in alphabetical order.
func ServicesThat(match func(Service) bool) (names []string) {
	for _, s := range services {
		if match(s) {
			names = append(names, s.Name)
		}
	}
	return names
}
