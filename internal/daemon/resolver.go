package daemon

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ldirectord/internal/resolve"
	"ldirectord/internal/runfile"
)

const nsswitch = "/etc/nsswitch.conf"

// systemNames looks up names as the system does: in the hosts file, through a resolver, and in the services database.
type systemNames struct {
	hosts func() (hosts, error) // the hosts file, if it is asked first
}

// hosts maps each name in a hosts file to its addresses.
type hosts map[string][]netip.Addr

// newSystemNames returns the systemNames for one reading of a configuration. They read the hosts file themselves,
// because package net may notice a change of it up to five seconds late. A reload in that time would keep the old
// addresses.
func newSystemNames() systemNames {
	return systemNames{sync.OnceValues(func() (hosts, error) {
		if sources := hostSources(); len(sources) > 0 && sources[0] != "files" {
			return nil, nil
		}
		text, err := os.ReadFile("/etc/hosts")
		if runfile.MayPass(err) {
			return nil, err
		}
		return hostsIn(string(text)), nil // package net reports what else is wrong
	})}
}

// hostSources returns where names are looked up, or nil for the hosts file and then the name servers.
func hostSources() []string {
	order, _ := os.ReadFile(nsswitch)
	return sourcesIn(string(order))
}

// sourcesIn is hostSources for the text of an nsswitch.conf.
func sourcesIn(order string) []string {
	for line := range strings.Lines(order) {
		line, _, _ = strings.Cut(line, "#")
		if sources, ok := strings.CutPrefix(strings.TrimSpace(line), "hosts:"); ok {
			return strings.Fields(sources)
		}
	}
	return nil
}

// asksServers reports whether these sources of names include name servers.
func asksServers(sources []string) bool {
	return len(sources) == 0 || slices.Contains(sources, "dns") || slices.Contains(sources, "resolve")
}

func hostsIn(text string) hosts {
	found := hosts{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line) // address, names
		if len(fields) < 2 {
			continue
		}
		a, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		for _, name := range fields[1:] {
			name = hostKey(name)
			found[name] = append(found[name], a)
		}
	}
	return found
}

// hostKey returns the key of a name in hosts.
func hostKey(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Host returns the addresses of a host name in one family.
func (n systemNames) Host(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	addrs, err := n.ask(ctx, &net.Resolver{PreferGo: true, Dial: resolve.DialServer}, name, ipv6)
	return addrs, brief(err)
}

// ask looks a name up in the hosts file and, if it is not there in this family, through a resolver.
func (n systemNames) ask(ctx context.Context, by *net.Resolver, name string, ipv6 bool) ([]netip.Addr, error) {
	known, err := n.hosts()
	if err != nil {
		return nil, err // the hosts file may have another address than the name server
	}
	other := func(a netip.Addr) bool { return a.Unmap().Is6() != ipv6 }
	all := known[hostKey(name)]
	if addrs := slices.DeleteFunc(slices.Clone(all), other); len(addrs) > 0 {
		return addrs, nil
	}
	if len(all) > 0 { // package net would find the name in the file again, and ask no server
		return askServers(ctx, by, name, ipv6)
	}
	network := "ip4"
	if ipv6 {
		network = "ip6"
	}
	return by.LookupNetIP(ctx, network, name)
}

// brief shortens the error of a look-up that asked a server: it drops the name, which the caller knows, and our own
// port number, which differs each time.
func brief(err error) error {
	failed, is := errors.AsType[*net.DNSError](err)
	if !is || failed.Server == "" {
		return err
	}
	why := failed.Err[strings.LastIndex(failed.Err, ": ")+1:]
	return fmt.Errorf("%s (asked %s)", strings.TrimSpace(why), failed.Server)
}

// Port returns the port of a service name. If protocol is "", it returns the port of the first entry with that name. It
// reads the services database each time, because package net reads it only once. It leaves other names to package net,
// which ignores case and has some built-in names.
func (systemNames) Port(ctx context.Context, service, protocol string) (uint16, error) {
	database, err := os.ReadFile("/etc/services")
	if port, ok := portIn(string(database), service, protocol); err == nil && ok {
		return port, nil
	}
	if protocol == "" {
		if port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service); err == nil {
			return uint16(port), nil
		}
	}
	port, err := net.DefaultResolver.LookupPort(ctx, cmp.Or(protocol, "udp"), service)
	if err != nil {
		return 0, fmt.Errorf("service %q: %w", service, err)
	}
	return uint16(port), nil
}

// noNames is a Resolver that looks up no host names. It makes up addresses, which differ for each name.
type noNames struct{ systemNames }

// Host implements resolve.Resolver.
func (noNames) Host(_ context.Context, name string, _ bool) ([]netip.Addr, error) {
	a := sha256.Sum256([]byte(name))
	a[0] = 240
	return []netip.Addr{netip.AddrFrom4([4]byte(a[:4])), netip.AddrFrom16([16]byte(a[:16]))}, nil
}

// portIn returns the port in the first entry of a services database with this name and protocol. A protocol "" means
// any.
func portIn(database, service, protocol string) (uint16, bool) {
	for line := range strings.Lines(database) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line) // name, port/protocol, further names
		if len(fields) < 2 || fields[0] != service && !slices.Contains(fields[2:], service) {
			continue
		}
		number, of, _ := strings.Cut(fields[1], "/")
		if port, err := strconv.ParseUint(number, 10, 16); err == nil && (protocol == "" || of == protocol) {
			return uint16(port), true
		}
	}
	return 0, false
}

// ownAddress returns a function that reports whether an address belongs to this machine. The function reads the list of
// addresses when it is first called.
func ownAddress() func(netip.Addr) bool {
	own := sync.OnceValue(func() map[netip.Addr]bool {
		all, _ := net.InterfaceAddrs()
		is := make(map[netip.Addr]bool, len(all))
		for _, one := range all {
			p, _ := netip.ParsePrefix(one.String())
			is[p.Addr()] = true
		}
		return is
	})
	return func(a netip.Addr) bool { return own()[a] }
}

// knownNames is a Resolver that already knows the addresses of some names. It looks up only the other names.
type knownNames struct {
	systemNames
	resolve.Known
}

// Host implements resolve.Resolver.
func (k knownNames) Host(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	n, ok := k.Known[resolve.Key{Host: name, IPv6: ipv6}]
	switch {
	case !ok:
		return k.systemNames.Host(ctx, name, ipv6)
	case n.Why != "":
		return nil, errors.New(n.Why)
	}
	return []netip.Addr{n.Addr}, nil
}
