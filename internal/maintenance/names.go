package maintenance

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"ldirectord/internal/lvs"
)

const (
	namesValid    = time.Minute     // how long the result of a reverse look-up is used
	namesKept     = 5 * time.Minute // how long an expired result is kept if no server has its address any more
	lookupTimeout = 2 * time.Second // for all reverse look-ups of one round
	maxLookups    = 50              // at the same time
)

// names holds the host names of servers. Several goroutines may use it at the same time.
type names struct {
	lookup func(ctx context.Context, addr string) (hosts []string, err error)

	mu    sync.Mutex // guards known
	known map[netip.Addr]name
}

type name struct {
	host  string
	until time.Time
}

func newNames(lookup func(context.Context, string) ([]string, error)) *names {
	return &names{lookup: lookup, known: map[netip.Addr]name{}}
}

// files returns the names of files that put a server into maintenance, in the order of the Perl ldirectord: address,
// host name and its first part, each with and without the port. The host name in the configuration comes before the one
// that was looked up for the address.
func (n *names) files(s Server) (list []string) {
	addr := s.Addr.Addr()
	hosts := []string{lvs.FormatAddr(addr)}
	if addr.Is6() {
		hosts = append(hosts, addr.String())
	}
	for _, host := range []string{s.Host, n.of(addr).host} {
		short, _, dotted := strings.Cut(host, ".")
		if hosts = append(hosts, host); dotted {
			hosts = append(hosts, short)
		}
	}
	for _, h := range hosts {
		if h == "" {
			continue
		}
		withPort := fmt.Sprintf("%s:%d", h, s.Addr.Port())
		if _, err := netip.ParseAddr(withPort); err != nil { // else it is the address of another server
			list = append(list, withPort)
		}
		list = append(list, h)
	}
	return list
}

func (n *names) of(a netip.Addr) name {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.known[a]
}

// due returns the addresses whose names have expired or have not been looked up yet, each once, because a server may be
// in many sections.
func (n *names) due(servers []Server, at time.Time) (addrs []netip.Addr) {
	for _, s := range servers {
		addr := s.Addr.Addr()
		if until := n.of(addr).until; until.IsZero() || at.After(until) {
			addrs = append(addrs, addr)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}

// forget drops the names that expired more than namesKept ago, except those of the given addresses.
func (n *names) forget(except []netip.Addr, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	stay := map[netip.Addr]bool{}
	for _, addr := range except {
		stay[addr] = true
	}
	maps.DeleteFunc(n.known,
		func(addr netip.Addr, one name) bool { return !stay[addr] && at.Sub(one.until) > namesKept })
}

// resolve looks up the host names of addresses, up to maxLookups at the same time, and stores them. If there is no
// answer for an address, its last name is kept. Addresses for which no time is left stay due.
func (n *names) resolve(ctx context.Context, addrs []netip.Addr) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var all sync.WaitGroup
	slots := make(chan struct{}, maxLookups)
	for _, addr := range addrs {
		if slots <- struct{}{}; ctx.Err() != nil {
			break
		}
		all.Go(func() {
			defer func() { <-slots }()
			host := ""
			if found, err := n.lookup(ctx, addr.String()); err == nil && len(found) > 0 {
				host = strings.TrimSuffix(found[0], ".")
			}
			n.mu.Lock()
			defer n.mu.Unlock()
			n.known[addr] = name{cmp.Or(host, n.known[addr].host), time.Now().Add(namesValid)}
		})
	}
	all.Wait()
}

// hasNames reports whether any file may be named after a host.
func hasNames(files map[string]bool) bool {
	for f := range files {
		_, noPort := netip.ParseAddrPort(f)
		_, noAddr := lvs.ParseAddr(f)
		if noPort != nil && noAddr != nil {
			return true
		}
	}
	return false
}
