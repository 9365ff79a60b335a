package parser

import "ldirectord/internal/resolve"

// readRealNames adds a server for each address of a name.
func readRealNames(v *value) {
	word, _ := cutWord(v.text)
	name, port := readListName(word, v.section.IPv6)
	if port == "" {
		v.bad("does not begin with a host name and a port from 1 to %d; it must be %s", maxPort, realNamesForm)
	}
	v.readListed(listOf(name), port)
}

// readListName reads NAME:PORT. For any other text the port is "".
func readListName(word string, ipv6 bool) (name resolve.Key, port string) {
	hosts, addr, port := splitTarget(word)
	if addr.IsValid() || (ListedReal{Target: word}).Check() != nil {
		return name, ""
	}
	return resolve.Key{Host: hosts[0], IPv6: ipv6}, port
}

// listOf returns the name of the list of a host name's addresses.
func listOf(name resolve.Key) string {
	if name.IPv6 {
		return name.Host + " (IPv6)"
	}
	return name.Host + " (IPv4)"
}
