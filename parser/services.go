package parser

import (
	"slices"
)

// Service is a protocol that negotiate checks may speak.
type Service struct {
	Name string
	Port uint16 // where it usually is; 0 for none
}

// Services returns every service that a configuration may name.
func Services() []Service { return slices.Clone(services) }

var services = slices.Concat(perlServices, extensionServices)

// perlServices is also how the Perl ldirectord guesses the service of a virtual from its port.
var perlServices = []Service{
	{"dns", 53}, {"ftp", 21}, {"http", 80}, {"https", 443}, {"http_proxy", 3128}, {"imap", 143}, {"imaps", 993},
	{"ldap", 389}, {"ldaps", 636}, {"mysql", 3306}, {"nntp", 119}, {"none", 0}, {"oracle", 1521}, {"pgsql", 5432},
	{"pop", 110}, {"pops", 995}, {"radius", 1812}, {"simpletcp", 0}, {"sip", 5060}, {"smtp", 25}, {"submission",
		587},
}

// extensionServices must be named: a file without them means the same to the Perl ldirectord.
var extensionServices = []Service{{"redis", 6379}, {"tls", 0}}

var serviceNames = func() (names []string) {
	for _, s := range services {
		names = append(names, s.Name)
	}
	return names
}()

// usualPort is where a service usually is, 0 when that is nowhere.
func usualPort(service string) int {
	i := slices.IndexFunc(services, func(s Service) bool { return s.Name == service })
	return int(services[i].Port)
}

// guessService names the service that usually is at a port, none when there is none.
func guessService(port uint16) string {
	i := slices.IndexFunc(perlServices, func(s Service) bool { return s.Port == port && port != 0 })
	if i < 0 {
		return "none"
	}
	return perlServices[i].Name
}
