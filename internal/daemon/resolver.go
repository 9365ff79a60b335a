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
)

// systemNames looks up names as the system does, in the hosts file, by a resolver, and in the services database.
type systemNames struct {
	hosts func() hosts // the hosts file, if it is asked first
}

// hosts are the addresses of each name in a hosts file.
type hosts map[string][]netip.Addr

// newSystemNames returns look-ups for one reading of a file. They read the hosts file themselves: package net notices a
// new one only after five seconds, and an earlier reload would keep the old addresses.
func newSystemNames() systemNames {
	return systemNames{sync.OnceValue(func() hosts {
		order, err := os.ReadFile("/etc/nsswitch.conf")
		if err == nil && !hostsFirst(string(order)) {
			return nil
		}
		text, _ := os.ReadFile("/etc/hosts") // package net reports what is wrong
		return hostsIn(string(text))
	})}
}

// hostsFirst reports whether the name service switch asks the hosts file first.
func hostsFirst(order string) bool {
	for line := range strings.Lines(order) {
		line, _, _ = strings.Cut(line, "#")
		if sources, ok := strings.CutPrefix(strings.TrimSpace(line), "hosts:"); ok {
			fields := strings.Fields(sources)
			return len(fields) > 0 && fields[0] == "files"
		}
	}
	return true
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

// hostKey returns a name in the form in which the hosts file compares it.
func hostKey(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// Host returns the addresses of a host name in one family.
func (n systemNames) Host(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	addrs, err := n.ask(ctx, net.DefaultResolver, name, ipv6)
	return addrs, brief(err)
}

// ask looks a name up in the hosts file, and then by a resolver.
func (n systemNames) ask(ctx context.Context, by *net.Resolver, name string, ipv6 bool) ([]netip.Addr, error) {
	other := func(a netip.Addr) bool { return a.Unmap().Is6() != ipv6 }
	if addrs := slices.DeleteFunc(slices.Clone(n.hosts()[hostKey(name)]), other); len(addrs) > 0 {
		return addrs, nil
	}
	network := "ip4"
	if ipv6 {
		network = "ip6"
	}
	return by.LookupNetIP(ctx, network, name)
}

// brief returns why a look-up failed, without the name, which the caller knows, and without our own port, which always
// differs.
func brief(err error) error {
	failed, is := errors.AsType[*net.DNSError](err)
	if !is || failed.Server == "" {
		return err
	}
	why := failed.Err[strings.LastIndex(failed.Err, ": ")+1:]
	return fmt.Errorf("%s (asked %s)", strings.TrimSpace(why), failed.Server)
}

// Port returns the port of a service name; without a protocol, that of its first entry. It reads the services database
// each time, because package net reads it only once, ignores case, and has some built-in names.
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

// noNames looks up nothing. Each name gets an unused address of its own.
type noNames struct{ systemNames }

// Host implements resolve.Resolver.
func (noNames) Host(_ context.Context, name string, _ bool) ([]netip.Addr, error) {
	a := sha256.Sum256([]byte(name))
	a[0] = 240
	return []netip.Addr{netip.AddrFrom4([4]byte(a[:4])), netip.AddrFrom16([16]byte(a[:16]))}, nil
}

// portIn returns the port of a service from a services database: of the first entry with the name and the protocol.
// protocol "" means any.
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

// ownAddress returns a function that reports whether an address belongs to this machine. It reads the list when it is
// first called.
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

// knownNames is a Resolver with the addresses found before. It looks up only other names.
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
